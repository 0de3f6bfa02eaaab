use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    time::Duration,
};

use crossterm::event::{KeyCode, KeyEvent};
use futures::{FutureExt as _, StreamExt as _};
use ratatui::widgets::Paragraph;
use tokio::{sync::Semaphore, task::LocalSet};

use super::*;
use crate::model::key::ClusterId;

/// Shows how many rows came, and the last key.
#[derive(Default)]
struct Probe {
    rows: usize,
    key: String,
    /// What came, in order, in short.
    heard: Rc<RefCell<Vec<String>>>,
    draws: Rc<RefCell<Vec<Instant>>>,
    tick_at: Option<Timestamp>,
    now: Option<Timestamp>,
}

impl Program for Probe {
    fn update(&mut self, message: Message) -> Vec<Effect> {
        let heard = match message {
            Message::Input(Event::Key(KeyEvent { code: KeyCode::Char('q'), .. }), _) => return vec![Effect::Quit],
            Message::Input(Event::Key(key), _) => {
                self.key = key.code.to_string();
                format!("key {}", key.code)
            }
            Message::Input(..) => "input".to_owned(),
            Message::Deltas(deltas) => {
                self.rows += deltas.len();
                "rows".to_owned()
            }
            Message::Tick(now) => {
                self.now = Some(now);
                "tick".to_owned()
            }
            Message::Drawn(_) => "drawn".to_owned(),
            Message::Log(id, _) => format!("log {id}"),
            other => format!("{other:?}"),
        };
        self.heard.borrow_mut().push(heard);
        Vec::new()
    }

    fn draw(&mut self, frame: &mut Frame<'_>) {
        self.draws.borrow_mut().push(Instant::now());
        frame.render_widget(Paragraph::new(format!("{} rows, key {}", self.rows, self.key)), frame.area());
    }

    fn next_tick(&self, _: Timestamp) -> Option<Timestamp> {
        self.tick_at.filter(|at| self.now.is_none_or(|now| now < *at))
    }
}

#[derive(Clone)]
struct Memory {
    frames: Rc<RefCell<Vec<Vec<u8>>>>,
    /// A permit a frame that the terminal takes.
    takes: Rc<Semaphore>,
    resumed: Rc<RefCell<usize>>,
}

impl Memory {
    fn screen(&self) -> String {
        let mut parser = vt100::Parser::new(5.try_into().unwrap(), 40.try_into().unwrap(), 0);
        for frame in self.frames.borrow().iter() {
            parser.process(frame);
        }
        parser.screen().contents()
    }
}

impl Console for Memory {
    fn submit(&mut self, bytes: Vec<u8>) {
        self.frames.borrow_mut().push(bytes);
    }
    async fn written(&mut self) -> io::Result<()> {
        self.takes.acquire().await.unwrap().forget();
        Ok(())
    }
    async fn suspend(&mut self) -> io::Result<()> {
        Ok(())
    }
    fn resume(&mut self) -> io::Result<()> {
        *self.resumed.borrow_mut() += 1;
        Ok(())
    }
    fn size(&self) -> io::Result<Size> {
        Ok(Size::new(40, 5))
    }
}

#[derive(Clone, Default)]
struct Rows {
    waiting: Rc<RefCell<VecDeque<Delta>>>,
    changed: Rc<tokio::sync::Notify>,
    /// What applying a chunk costs, in virtual time.
    cost: Rc<Cell<Duration>>,
}

impl Rows {
    fn send(&self, count: usize) {
        let link = Delta::Notice(ClusterId::local().0);
        self.waiting.borrow_mut().extend(std::iter::repeat_n(link, count));
        self.changed.notify_one();
    }
}

impl World for Rows {
    async fn changed(&mut self) -> bool {
        while self.waiting.borrow().is_empty() {
            self.changed.notified().await;
        }
        true
    }
    fn take(&mut self, max: usize) -> Vec<Delta> {
        if !self.cost.get().is_zero() && !self.waiting.borrow().is_empty() {
            tokio::time::advance(self.cost.get()).now_or_never();
        }
        let mut waiting = self.waiting.borrow_mut();
        let count = waiting.len().min(max);
        waiting.drain(..count).collect()
    }
}

struct Effects;
impl Worker for Effects {
    fn perform(&mut self, _: Effect) {}
}

struct Bench {
    keys: mpsc::UnboundedSender<io::Result<(Event, Timestamp)>>,
    rows: Rows,
    messages: mpsc::Sender<Message>,
    logs: mpsc::Sender<Message>,
    control: mpsc::Sender<Control>,
    console: Memory,
    heard: Rc<RefCell<Vec<String>>>,
    draws: Rc<RefCell<Vec<Instant>>>,
}

impl Bench {
    fn key(&self, key: char) {
        let event = Event::Key(KeyEvent::from(KeyCode::Char(key)));
        self.keys.send(Ok((event, Timestamp::UNIX_EPOCH))).unwrap();
    }
}

/// Runs a session on virtual time beside a test; the test's last deed is to quit.
async fn session<F: Future<Output = Bench>>(tick_at: Option<Timestamp>, test: impl FnOnce(Bench) -> F) -> Ended {
    let (keys, mut events) = mpsc::unbounded_channel();
    let (messages, message_queue) = mpsc::channel(64);
    let (logs, log_queue) = mpsc::channel(64);
    let (control, control_queue) = mpsc::channel(64);
    let console = Memory {
        frames: Rc::default(),
        takes: Rc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
        resumed: Rc::default(),
    };
    let probe = Probe { tick_at, ..Probe::default() };
    let rows = Rows::default();
    let bench = Bench {
        keys,
        rows: rows.clone(),
        messages,
        logs,
        control,
        console: console.clone(),
        heard: Rc::clone(&probe.heard),
        draws: Rc::clone(&probe.draws),
    };
    let begun = Instant::now();
    let clock = move || Timestamp::UNIX_EPOCH + (Instant::now() - begun);
    let parts = Parts {
        input: futures::stream::poll_fn(move |context| events.poll_recv(context)).fuse(),
        world: rows,
        messages: message_queue,
        logs: log_queue,
        control: control_queue,
        console,
        worker: Effects,
        clock: &clock,
        pace: Pace::new(false),
    };
    let driven = async {
        let bench = test(bench).await;
        bench.key('q');
        bench
    };
    let ((_, ended), _bench) = LocalSet::new().run_until(async { tokio::join!(run(probe, parts), driven) }).await;
    ended
}

async fn pass(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

#[tokio::test(start_paused = true)]
async fn nothing_happens_and_nothing_is_drawn() {
    session(None, async |bench| {
        pass(100).await;
        let drawn = bench.draws.borrow().len();
        let written = bench.console.frames.borrow().len();
        pass(60_000).await;
        assert_eq!((bench.draws.borrow().len(), bench.console.frames.borrow().len()), (drawn, written));
        bench
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn rows_are_drawn_at_most_thirty_times_a_second() {
    session(None, async |bench| {
        pass(100).await;
        bench.draws.borrow_mut().clear();
        for _ in 0..1000 {
            bench.rows.send(1);
            pass(1).await;
        }
        let drawn = bench.draws.borrow().len();
        assert!((25..=30).contains(&drawn), "{drawn} frames in a second");
        pass(100).await;
        assert!(bench.console.screen().contains("1000 rows"), "{}", bench.console.screen());
        bench
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_key_is_drawn_at_once_with_the_data_that_has_come() {
    session(None, async |bench| {
        pass(100).await;
        bench.rows.send(1);
        pass(40).await;
        bench.rows.send(1);
        pass(1).await;
        // The rows' frame is 33 ms away; the key's comes now.
        bench.key('j');
        let pressed = Instant::now();
        pass(1).await;
        assert_eq!(bench.draws.borrow().last(), Some(&pressed));
        assert_eq!(bench.console.screen(), "2 rows, key j");
        bench
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_key_goes_before_rows_that_wait() {
    session(None, async |bench| {
        pass(100).await;
        bench.heard.borrow_mut().clear();
        bench.rows.send(10);
        bench.key('j');
        pass(100).await;
        let heard = bench.heard.borrow();
        let place = |what: &str| heard.iter().position(|heard| heard == what);
        assert!(place("key j") < place("rows"), "{heard:?}");
        drop(heard);
        bench
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_rows_holds_up_neither_keys_nor_tasks_nor_logs() {
    session(None, async |bench| {
        pass(100).await;
        bench.rows.cost.set(Duration::from_millis(1));
        bench.heard.borrow_mut().clear();
        bench.rows.send(100_000);
        bench.messages.try_send(Message::Targets(7, Vec::new(), Vec::new())).unwrap();
        bench.logs.try_send(Message::Log(3, Vec::new())).unwrap();
        while !bench.heard.borrow().iter().any(|heard| heard == "log 3") {
            tokio::task::yield_now().await;
        }
        bench.key('j');
        while !bench.heard.borrow().iter().any(|heard| heard == "key j") {
            tokio::task::yield_now().await;
        }
        assert!(bench.heard.borrow().iter().any(|heard| heard.starts_with("Targets(7")));
        assert!(!bench.rows.waiting.borrow().is_empty(), "all rows went before");
        bench
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_terminal_that_takes_nothing_is_sent_nothing_more_and_gets_the_latest_when_it_does() {
    session(None, async |bench| {
        pass(100).await;
        bench.console.takes.forget_permits(usize::MAX);
        let before = bench.console.frames.borrow().len();
        bench.key('a');
        pass(100).await;
        for key in ['b', 'c', 'd'] {
            bench.key(key);
            pass(100).await;
        }
        assert_eq!(bench.console.frames.borrow().len(), before + 1, "one frame on its way at most");
        assert_eq!(bench.console.screen(), "0 rows, key a");
        bench.console.takes.add_permits(100);
        pass(1).await;
        assert_eq!(bench.console.screen(), "0 rows, key d");
        assert_eq!(bench.console.frames.borrow().len(), before + 2, "what was missed is one frame");
        bench
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_program_hears_that_its_input_is_on_the_screen_once_it_is_written() {
    session(None, async |bench| {
        pass(100).await;
        bench.heard.borrow_mut().clear();
        bench.console.takes.forget_permits(usize::MAX);
        bench.key('a');
        pass(1000).await;
        assert!(!bench.heard.borrow().contains(&"drawn".to_owned()));
        bench.console.takes.add_permits(100);
        pass(1).await;
        pass(1000).await;
        assert!(bench.heard.borrow().contains(&"drawn".to_owned()));
        bench
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn time_wakes_the_loop_when_something_on_screen_ages_and_only_then() {
    let at = Timestamp::UNIX_EPOCH + Duration::from_secs(60);
    session(Some(at), async |bench| {
        pass(59_000).await;
        bench.draws.borrow_mut().clear();
        pass(1_100).await;
        assert_eq!(bench.draws.borrow().len(), 1);
        pass(600_000).await;
        assert_eq!(bench.draws.borrow().len(), 1);
        bench
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_process_that_goes_on_takes_the_terminal_and_draws_all_of_it() {
    session(None, async |bench| {
        pass(100).await;
        bench.console.frames.borrow_mut().clear();
        bench.control.send(Control::Continued).await.unwrap();
        pass(10).await;
        assert_eq!(*bench.console.resumed.borrow(), 1);
        assert!(bench.console.screen().starts_with("0 rows"), "the whole screen is written anew");
        bench
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_resizes_is_few_frames_and_ends_at_the_last_size() {
    session(None, async |bench| {
        pass(100).await;
        let before = bench.console.frames.borrow().len();
        for step in 0..200_u16 {
            bench.keys.send(Ok((Event::Resize(40 + step % 40, 5), Timestamp::UNIX_EPOCH))).unwrap();
        }
        pass(100).await;
        assert!(bench.console.frames.borrow().len() <= before + 2);
        bench
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_signal_ends_the_session_with_its_code_and_a_dead_terminal_with_its_error() {
    let ended = session(None, async |bench| {
        bench.control.send(Control::Leave(129)).await.unwrap();
        bench
    })
    .await;
    assert!(matches!(ended, Ended::Told(129)), "{ended:?}");
    let ended = session(None, async |bench| {
        bench.keys.send(Err(io::ErrorKind::BrokenPipe.into())).unwrap();
        bench
    })
    .await;
    assert!(matches!(ended, Ended::Lost(_)), "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn bytes_that_are_no_picture_go_out_though_nothing_changed() {
    session(None, async |bench| {
        pass(100).await;
        bench.control.send(Control::Write(b"\x1b]52;c;aGk=\x07".to_vec())).await.unwrap();
        pass(1).await;
        assert_eq!(bench.console.frames.borrow().last().unwrap(), b"\x1b]52;c;aGk=\x07");
        bench
    })
    .await;
}
