//! An API server's refusal → one sentence with advice, and a class to act upon.

use std::{error::Error as StdError, fmt, io};

use serde::Deserialize;

/// What kind of failure it is: decides whether to park, to wait, to list again or to give up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The kubeconfig does not hold what is needed, or the client cannot be built from it.
    Config,
    /// 404: the kind or the object is not there.
    NotFound,
    /// 403: not permitted.
    Forbidden,
    /// 401: the credential is not accepted.
    Unauthorized,
    /// 409: somebody else changed the object.
    Conflict,
    /// 410: what was asked for is too old.
    Gone,
    /// 422 or 400: the request itself is refused.
    Invalid,
    /// 429: asked too much.
    Busy,
    /// No answer: refused, cut, no route, no name, a bad certificate, a gateway that does not reach its cluster.
    Unreachable,
    /// No answer in time.
    TimedOut,
    /// The answer is larger than lateen takes.
    TooLarge,
    /// The answer is not what the API promises.
    Malformed,
    /// Anything else.
    Other,
}

/// One failure: what failed, where, and what to do about it, in one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What kind.
    pub class: Class,
    /// The sentence.
    pub message: String,
    /// Whether the request may have reached the server: a write with it has an unknown outcome.
    pub sent: bool,
}

impl Error {
    /// A failure before anything was sent.
    pub fn new(class: Class, message: impl Into<String>) -> Self {
        Self { class, message: one_line(&message.into()), sent: false }
    }

    /// The same failure, said with what was being done: "list pods in foo: connection refused".
    #[must_use]
    pub fn during(self, what: &str) -> Self {
        Self { message: format!("{what}: {}", self.message), ..self }
    }

    /// The failure that an HTTP answer tells of. `body` is a `Status` in JSON, or whatever stood in the way wrote.
    pub fn from_answer(code: u16, body: &[u8]) -> Self {
        let status: StatusBody = serde_json::from_slice(body).unwrap_or_default();
        let text = if status.message.is_empty() {
            let text = String::from_utf8_lossy(&body[..body.len().min(2048)]).trim().to_owned();
            // A proxy's page of HTML says nothing that its code does not.
            if text.starts_with('<') { String::new() } else { text }
        } else {
            status.message
        };
        let text = one_line(&text);
        let (class, message) = match code {
            401 => (Class::Unauthorized, "401 Unauthorized: the credential is not accepted".to_owned()),
            403 => (Class::Forbidden, forbidden(&text)),
            404 | 405 => (Class::NotFound, if text.is_empty() { "404 not found".into() } else { text }),
            409 => (Class::Conflict, text),
            410 => (Class::Gone, if text.is_empty() { "410 gone".into() } else { text }),
            400 | 422 => (Class::Invalid, if text.is_empty() { format!("{code} refused") } else { text }),
            429 => (Class::Busy, "429 too many requests: the API server asks to slow down".into()),
            500..=599 if is_unreachable(&text) || matches!(code, 502..=504) => {
                (Class::Unreachable, if text.is_empty() { format!("{code} from the server") } else { dial(&text) })
            }
            _ => (Class::Other, if text.is_empty() { format!("{code} from the server") } else { text }),
        };
        Self { class, message, sent: true }
    }

    /// The failure of a request that got no answer.
    pub fn from_kube(error: &kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => {
                let body = serde_json::json!({"message": status.message}).to_string();
                Self::from_answer(status.code, body.as_bytes())
            }
            kube::Error::Auth(source) => {
                Self::new(Class::Unauthorized, format!("the kubeconfig's login failed: {}", innermost(source)))
            }
            other => {
                let cause = innermost(other);
                let class = if chain_any(other, |e| {
                    e.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::TimedOut)
                }) {
                    Class::TimedOut
                } else if matches!(
                    other,
                    kube::Error::HyperError(_) | kube::Error::Service(_) | kube::Error::ReadEvents(_)
                ) {
                    Class::Unreachable
                } else {
                    Class::Other
                };
                // Only a failure to connect proves that nothing was sent; hyper-util says it in these words.
                let connect = chain_any(other, |e| e.to_string() == "client error (Connect)");
                Self { class, message: one_line(&dial(&cause)), sent: !connect }
            }
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {}

#[derive(Default, Deserialize)]
struct StatusBody {
    #[serde(default)]
    message: String,
}

/// "…: User "alice" cannot list resource "pods" in API group "" in the namespace "x"" → what is needed.
fn forbidden(text: &str) -> String {
    let quoted = |after: &str| {
        let rest = &text[text.find(after)? + after.len()..];
        let rest = rest.strip_prefix('"')?;
        rest.split('"').next().map(str::to_owned)
    };
    let verb =
        text.find(" cannot ").map(|at| text[at + " cannot ".len()..].split(' ').next().unwrap_or_default().to_owned());
    let resource = quoted("resource ");
    match (verb, resource) {
        (Some(verb), Some(resource)) => {
            let group = quoted("API group ").filter(|group| !group.is_empty());
            let place = match quoted("in the namespace ") {
                Some(namespace) => format!(" in namespace {namespace}"),
                None => String::new(),
            };
            let group = group.map(|group| format!(" ({group})")).unwrap_or_default();
            format!("not permitted: needs {verb} on {resource}{group}{place}")
        }
        _ if text.is_empty() => "403 not permitted".into(),
        _ => format!("not permitted: {text}"),
    }
}

/// Whether a 5xx of the gateway tells that the cluster behind it does not answer (words observed on KubeVela 1.10).
fn is_unreachable(text: &str) -> bool {
    [
        "dial tcp",
        "connection refused",
        "no such host",
        "i/o timeout",
        "TLS handshake timeout",
        "client connection lost",
        "connection reset",
        "EOF",
        "x509:",
        "no such cluster",
        "error trying to reach service",
        "lacking credentials",
        "unable to handle the request",
        "no route to host",
        "network is unreachable",
    ]
    .iter()
    .any(|word| text.contains(word))
}

/// Cuts Go's nesting of causes ("Get \"https://…\": dial tcp 1.2.3.4:6443: connect: connection refused") to its end.
fn dial(text: &str) -> String {
    let cut = text.find("dial tcp").or_else(|| text.find("x509:")).or_else(|| text.find("net/http:"));
    let text = cut.map_or(text, |at| &text[at..]);
    match text.strip_prefix("dial tcp ").and_then(|rest| rest.split_once(": ")) {
        Some((address, cause)) => {
            let cause = cause.rsplit(": ").next().unwrap_or(cause);
            format!("{cause} ({address})")
        }
        None => text.to_owned(),
    }
}

/// One line of at most 300 characters, without control characters: servers are not trusted with the terminal.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len().min(300));
    for (count, character) in text.trim().chars().enumerate() {
        if count == 300 {
            line.push('…');
            break;
        }
        line.push(if character.is_control() { ' ' } else { character });
    }
    line
}

/// The deepest cause, which says most: "Connection refused (os error 111)".
fn innermost(error: &dyn StdError) -> String {
    let mut current = error;
    while let Some(source) = current.source() {
        current = source;
    }
    let text = current.to_string();
    // The words of rustls (with an address of its manual) and of hyper for the same: the other side went.
    if text.starts_with("peer closed connection") || text.starts_with("connection closed before message completed") {
        return "connection closed".to_owned();
    }
    match text.find(" (os error") {
        Some(at) => text[..at].to_lowercase(),
        None => text,
    }
}

fn chain_any(error: &(dyn StdError + 'static), test: impl Fn(&(dyn StdError + 'static)) -> bool) -> bool {
    let mut current = Some(error);
    while let Some(error) = current {
        if test(error) {
            return true;
        }
        current = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16, message: &str) -> Error {
        Error::from_answer(code, serde_json::json!({"kind": "Status", "message": message}).to_string().as_bytes())
    }

    #[test]
    fn a_refusal_names_what_is_needed() {
        let error = status(
            403,
            "applications.core.oam.dev \"web-hello\" is forbidden: User \"alice\" cannot patch resource \
             \"applications/status\" in API group \"core.oam.dev\" in the namespace \"default\"",
        );
        assert_eq!(error.class, Class::Forbidden);
        assert_eq!(
            error.message,
            "not permitted: needs patch on applications/status (core.oam.dev) in namespace default"
        );
    }

    #[test]
    fn the_gateways_words_are_cut_to_their_cause() {
        let error = status(
            500,
            "Get \"https://127.0.0.1:17443/version\": dial tcp 127.0.0.1:17443: connect: connection refused",
        );
        assert_eq!(error.class, Class::Unreachable);
        assert_eq!(error.message, "connection refused (127.0.0.1:17443)");
        assert_eq!(status(500, "no such cluster nope").class, Class::Unreachable);
    }

    #[test]
    fn a_connection_that_went_is_said_in_two_words() {
        let rustls = "peer closed connection without sending TLS close_notify: https://docs.rs/rustls/latest/rustls/manual/_03_howto/index.html#unexpected-eof";
        for words in [rustls, "connection closed before message completed"] {
            let error = kube::Error::ReadEvents(io::Error::new(io::ErrorKind::UnexpectedEof, words));
            let error = Error::from_kube(&error);
            assert_eq!((error.class, error.message.as_str()), (Class::Unreachable, "connection closed"));
        }
    }

    #[test]
    fn an_answer_that_is_no_status_is_still_a_sentence() {
        let error = Error::from_answer(
            503,
            b"error trying to reach service: dial tcp 10.0.0.1:443: connect: connection refused",
        );
        assert_eq!(error.class, Class::Unreachable);
        let error = Error::from_answer(502, b"<html>\x1b[31mBad gateway</html>");
        assert_eq!(error.message, "502 from the server");
        assert_eq!(Error::from_answer(404, b"404 page not found\n").class, Class::NotFound);
    }
}
