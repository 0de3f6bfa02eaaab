//! When a table makes its list anew.

use std::cell::Cell as Counter;

use jiff::SignedDuration;

use crate::model::{
    cluster::LinkState,
    delta::Delta,
    key::{ClusterId, Text},
};

use super::*;

/// So many rows, named by their numbers; counts how often it was asked for them.
struct Numbers {
    count: usize,
    by_keys: bool,
    asked: Counter<usize>,
}

impl Rows for Numbers {
    type Key = usize;

    fn columns(&self) -> &'static [Column] {
        &[]
    }

    fn keys(&self, _world: &World) -> Vec<usize> {
        self.asked.set(self.asked.get() + 1);
        (0..self.count).collect()
    }

    fn keys_revision(&self, world: &World) -> u64 {
        if self.by_keys { world.store.keys_revision() } else { world.revision() }
    }

    fn cell(&self, _world: &World, key: &usize, _column: usize) -> Cell {
        vec![Part::plain(key.to_string())]
    }

    fn text(&self, _world: &World, key: &usize, out: &mut String) {
        out.push_str(&key.to_string());
    }

    fn health(&self, _world: &World, _key: &usize) -> Health {
        Health::Ok
    }

    fn empty(&self, _world: &World) -> String {
        String::new()
    }
}

fn table(count: usize, by_keys: bool) -> Table<Numbers> {
    Table::new(Numbers { count, by_keys, asked: Counter::new(0) })
}

fn world() -> World {
    World::new("hub".into(), "mei".into(), Timestamp::UNIX_EPOCH)
}

/// Something that can be seen changes, but no row comes or goes.
fn change(world: &mut World, cluster: &str) {
    let cluster = ClusterId(Text::from(cluster));
    world.store.apply(Delta::Link { cluster, state: LinkState::Connecting { since: world.now } });
}

#[test]
fn contents_that_change_make_a_plain_list_not_anew_but_a_chosen_one() {
    let (mut world, mut table) = (world(), table(10, true));
    table.settle(&world);
    change(&mut world, "foo");
    table.settle(&world);
    assert_eq!(table.rows.asked.get(), 1);
    table.set_filter("7");
    table.settle(&world);
    assert_eq!((table.rows.asked.get(), table.visible()), (2, &[7][..]));
    change(&mut world, "bar");
    table.settle(&world);
    assert_eq!(table.rows.asked.get(), 3);
}

#[test]
fn a_very_long_list_follows_the_world_at_a_distance_and_the_operator_at_once() {
    let (mut world, mut table) = (world(), table(100_000, false));
    table.settle(&world);
    assert_eq!(table.next_tick(), None);
    change(&mut world, "foo");
    table.settle(&world);
    assert_eq!(table.rows.asked.get(), 1);
    let due = table.next_tick().unwrap();
    assert_eq!(due.duration_since(world.now), SignedDuration::from_millis(500));
    table.set_filter("99999");
    table.settle(&world);
    assert_eq!((table.rows.asked.get(), table.visible(), table.next_tick()), (2, &[99_999][..], None));
    change(&mut world, "bar");
    world.now = due;
    table.settle(&world);
    assert_eq!((table.rows.asked.get(), table.next_tick()), (3, None));
}
