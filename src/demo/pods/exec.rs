//! `pods/NAME/exec` over a WebSocket (protocols v4 and v5).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::protocol::Message;

use super::forward::{Handshake, gone, goodbye, socket};
use super::shell::{Done, GREETING, Shell};
use crate::demo::api::{Answer, Call, Target};
use crate::demo::kinds;
use crate::demo::status::Status;
use crate::demo::store::Key;
use crate::demo::world::Cluster;

const PROTOCOLS: [&str; 2] = ["v5.channel.k8s.io", "v4.channel.k8s.io"];
const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const STATUS: u8 = 3;
const RESIZE: u8 = 4;
const CLOSE: u8 = 255;
/// The largest frame of output.
const FRAME: usize = 32 * 1024;
/// The longest line that is taken in.
const LINE: usize = 64 * 1024;

/// Upgrades the connection and runs the command in the container's shell.
pub(crate) fn answer(mut call: Call, target: &Target) -> Result<Answer, Status> {
    let object = call.cluster.store.get(target.kind, &target.key());
    let object = object.ok_or_else(|| Status::not_found(target.kind, &target.name))?;
    let pod = object.value(target.kind);
    super::check_scheduled(&pod)?;
    let container = super::choose(&pod, call.query.get("container"))?;
    let command: Vec<String> = call.query.all("command").map(ToOwned::to_owned).collect();
    if command.is_empty() {
        return Err(Status::bad_request("you must specify at least one command for the container"));
    }
    let handshake = Handshake::read(call.request.headers(), &PROTOCOLS).ok_or_else(|| {
        Status::bad_request("this simulated cluster executes commands over WebSocket (v4 or v5.channel.k8s.io) only")
    })?;
    if !container.status["state"]["running"].is_object() {
        return Err(Status::internal(format!("container not found (\"{}\")", container.name)));
    }
    let variables = super::environment(&call.cluster.store, &pod, &container);
    let shell = Shell { pod: target.name.clone(), variables, directory: "/".into(), size: (24, 80), code: 0 };
    let session = Session {
        terminal: call.query.flag("tty"),
        has_input: call.query.flag("stdin"),
        program: Program::Shell,
        shell,
        input: Vec::new(),
        pending: None,
        output: Vec::new(),
        ended: None,
    };
    let upgrade = hyper::upgrade::on(&mut call.request);
    tokio::spawn(run(session, command, call.cluster, target.key(), object.uid.clone(), upgrade));
    Ok(handshake.answer())
}

async fn run(
    mut session: Session,
    command: Vec<String>,
    cluster: Arc<Cluster>,
    key: Key,
    uid: Box<str>,
    upgrade: hyper::upgrade::OnUpgrade,
) {
    let Some(mut socket) = socket(upgrade, &cluster).await else { return };
    for channel in [STDOUT, STDERR, STATUS] {
        session.output.push(vec![channel]);
    }
    session.start(&command);
    let mut pods = cluster.store.changes(kinds::core("pods"));
    loop {
        for frame in session.output.drain(..) {
            if socket.send(Message::Binary(Bytes::from(frame))).await.is_err() {
                return;
            }
        }
        if let Some(status) = session.ended.take() {
            let mut frame = vec![STATUS];
            frame.extend_from_slice(status.to_string().as_bytes());
            // Whoever has left does not want to know.
            let _ = socket.send(Message::Binary(Bytes::from(frame))).await;
            let _ = socket.close(Some(goodbye())).await;
            return;
        }
        let pause = session.pending.as_ref().map(|(until, _)| *until);
        tokio::select! {
            message = socket.next() => match message {
                Some(Ok(Message::Binary(frame))) => session.frame(&frame),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => {}
            },
            () = tokio::time::sleep_until(pause.unwrap_or_else(Instant::now)), if pause.is_some() => session.wake(),
            () = gone(&cluster, &key, &uid, &mut pods) => session.end(137),
        }
    }
}

/// What reads the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Program {
    Shell,
    Cat,
    /// A command that reads nothing.
    Command,
}

struct Session {
    terminal: bool,
    has_input: bool,
    program: Program,
    shell: Shell,
    /// The line that is being typed.
    input: Vec<u8>,
    /// A command that still runs, and until when.
    pending: Option<(Instant, Done)>,
    /// Frames to send.
    output: Vec<Vec<u8>>,
    /// The status to end with.
    ended: Option<Value>,
}

impl Session {
    fn start(&mut self, command: &[String]) {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let name = words[0].rsplit('/').next().unwrap_or(words[0]);
        let shell = matches!(name, "sh" | "bash" | "ash") && !words.contains(&"-c");
        if shell && self.has_input {
            if self.terminal {
                self.write(STDOUT, GREETING);
                self.prompt();
            }
        } else if name == "cat" && words.len() == 1 && self.has_input {
            self.program = Program::Cat;
        } else {
            self.program = Program::Command;
            // `-c` may stand behind other options, as in `sh -ec`.
            let line = words.iter().position(|word| *word == "-c").and_then(|at| words.get(at + 1));
            let done = match line.filter(|_| matches!(name, "sh" | "bash" | "ash")) {
                Some(line) => Some(self.shell.line(line)),
                None => self.shell.command(&words),
            };
            if let Some(done) = done {
                self.finish(done);
            } else {
                let message = format!(
                    "Internal error occurred: error executing command in container: failed to exec in container: \
                     failed to start exec: OCI runtime exec failed: exec failed: unable to start container process: \
                     exec: \"{name}\": executable file not found in $PATH"
                );
                self.ended = Some(json!({
                    "metadata": {}, "status": "Failure", "message": message, "reason": "InternalError", "code": 500,
                }));
            }
        }
    }

    /// A frame from the client.
    fn frame(&mut self, frame: &[u8]) {
        match frame.split_first() {
            Some((&STDIN, data)) if self.program == Program::Cat => {
                let data = data.to_vec();
                self.write_bytes(STDOUT, &data);
            }
            Some((&STDIN, data)) => data.iter().for_each(|byte| self.byte(*byte)),
            Some((&RESIZE, size)) => {
                if let Ok(size) = serde_json::from_slice::<Value>(size) {
                    let cells =
                        |name: &str| size[name].as_u64().and_then(|cells| u16::try_from(cells).ok()).unwrap_or(0);
                    self.shell.size = (cells("Height"), cells("Width"));
                }
            }
            Some((&CLOSE, [STDIN])) => {
                if !self.input.is_empty() && self.program == Program::Shell {
                    self.enter();
                }
                if self.program != Program::Command {
                    let code = if self.program == Program::Shell { self.shell.code } else { 0 };
                    self.end(code);
                }
            }
            _ => {}
        }
    }

    /// One byte of input: a line discipline as simple as can be.
    fn byte(&mut self, byte: u8) {
        const INTERRUPT: u8 = 3;
        const END: u8 = 4;
        const ERASE_LINE: u8 = 21;
        match byte {
            INTERRUPT if self.terminal => {
                self.input.clear();
                self.write(STDOUT, "^C\n");
                self.shell.code = 130;
                let interrupted = self.pending.take().is_some();
                if interrupted && self.program == Program::Command {
                    self.end(130);
                } else {
                    self.prompt();
                }
            }
            _ if self.program != Program::Shell || self.pending.is_some() => {}
            END if self.terminal && self.input.is_empty() => {
                let code = self.shell.code;
                self.write(STDOUT, "\n");
                self.end(code);
            }
            ERASE_LINE if self.terminal => {
                let count = String::from_utf8_lossy(&self.input).chars().count();
                self.input.clear();
                self.write(STDOUT, &"\x08 \x08".repeat(count));
            }
            8 | 127 if self.terminal => {
                // A character may be several bytes.
                while self.input.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
                self.write(STDOUT, "\x08 \x08");
            }
            b'\r' | b'\n' => {
                if self.terminal {
                    self.write(STDOUT, "\n");
                }
                self.enter();
            }
            byte if self.input.len() < LINE && (byte >= 32 || byte == b'\t') => {
                self.input.push(byte);
                if self.terminal {
                    self.write_bytes(STDOUT, &[byte]);
                }
            }
            _ => {}
        }
    }

    fn enter(&mut self) {
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.input)).into_owned();
        let done = self.shell.line(&line);
        self.finish(done);
    }

    /// A command is done, or will be when its pause is over.
    fn finish(&mut self, done: Done) {
        if done.pause.is_zero() {
            self.report(&done);
        } else {
            let pause = done.pause.min(Duration::from_secs(86_400));
            self.pending = Some((Instant::now() + pause, done));
        }
    }

    fn wake(&mut self) {
        if let Some((_, done)) = self.pending.take() {
            self.report(&done);
        }
    }

    fn report(&mut self, done: &Done) {
        self.write(STDOUT, &done.out);
        // A terminal has one stream.
        self.write(if self.terminal { STDOUT } else { STDERR }, &done.err);
        if done.exit || self.program == Program::Command {
            self.end(done.code);
        } else {
            self.prompt();
        }
    }

    fn prompt(&mut self) {
        if self.terminal && self.program == Program::Shell {
            let prompt = self.shell.prompt();
            self.write(STDOUT, &prompt);
        }
    }

    fn write(&mut self, channel: u8, text: &str) {
        if self.terminal {
            self.write_bytes(channel, text.replace('\n', "\r\n").as_bytes());
        } else {
            self.write_bytes(channel, text.as_bytes());
        }
    }

    fn write_bytes(&mut self, channel: u8, bytes: &[u8]) {
        for piece in bytes.chunks(FRAME) {
            let mut frame = Vec::with_capacity(piece.len() + 1);
            frame.push(channel);
            frame.extend_from_slice(piece);
            self.output.push(frame);
        }
    }

    fn end(&mut self, code: u8) {
        self.ended = Some(if code == 0 {
            json!({ "metadata": {}, "status": "Success" })
        } else {
            json!({
                "metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
                "message": format!("command terminated with non-zero exit code: exit status {code}"),
                "details": { "causes": [{ "reason": "ExitCode", "message": code.to_string() }] },
            })
        });
    }
}
