//! Clusters that go and come back, while someone looks.

use std::time::{Duration, Instant};

use lateen::demo::{Cut, HUB, MEMBER};

use crate::{Stage, line_with};

/// A loss is to be said within ten seconds; the machine that runs the tests gets some more.
const SAID: Duration = Duration::from_secs(15);

#[test]
fn a_lost_cluster_is_said_keys_stay_quick_and_all_comes_back_by_itself() {
    for (cluster, cut) in [(MEMBER, Cut::Refuse), (MEMBER, Cut::Hang), (HUB, Cut::Refuse)] {
        let stage = Stage::new();
        let mut terminal = stage.dashboard(40, 120);
        terminal.wait_for("2 live");
        terminal.wait_for("storefront");
        stage.estate.cut(cluster, cut).unwrap();
        let cut_at = Instant::now();
        terminal.wait("that a cluster does not answer", |screen| screen.contains("unreachable"));
        assert!(cut_at.elapsed() < SAID, "{cluster} {cut:?} was said after {:?}", cut_at.elapsed());
        // What is known stays, and the keys work.
        let pressed = Instant::now();
        terminal.keys(":clusters\r");
        terminal.wait("the clusters", |screen| screen.contains("ENDPOINT") || screen.contains("LINK"));
        assert!(pressed.elapsed() < Duration::from_secs(2), "a view took {:?}", pressed.elapsed());
        assert!(
            line_with(&terminal.screen(), &format!(" {cluster} ")).contains("unreachable"),
            "{}",
            terminal.screen()
        );
        terminal.keys("\x1b");
        terminal.wait_for("storefront");
        stage.estate.restore(cluster).unwrap();
        terminal.wait_for("2 live");
        terminal.keys("\x03");
        assert_eq!(terminal.end().exit_code(), 0);
    }
}
