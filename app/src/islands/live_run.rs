//! A run that is being watched: what is measured this second, and the page's parts as they change.

mod feed;
mod log;
mod page;
mod panel;

use leptos::prelude::*;

use self::feed::{Connection, Feed};
use self::log::Log;
use self::page::Refresh;
use self::panel::Panel;
use crate::dto::{LiveTick, Measured};

/// What the panel shows.
#[derive(Clone, Copy)]
struct Watched {
    /// Whether news arrive.
    connection: RwSignal<Connection>,
    /// The measurement that is being taken, or the last one.
    measured: RwSignal<Option<Measured>>,
    /// Whether it is being taken now.
    is_measuring: RwSignal<bool>,
    /// Its seconds so far.
    ticks: RwSignal<Vec<LiveTick>>,
    /// The last thing that happened, in words.
    news: RwSignal<String>,
}

impl Watched {
    fn begin(self, measured: Measured) {
        if self.measured.with_untracked(|known| known.as_ref() != Some(&measured)) {
            self.ticks.set(Vec::new());
            self.measured.set(Some(measured));
        }
        self.is_measuring.set(true);
    }

    fn end(self, measurement_id: &str) {
        if self.measured.with_untracked(|known| known.as_ref().is_some_and(|m| m.measurement_id == measurement_id)) {
            self.is_measuring.set(false);
        }
    }

    fn tick(self, tick: LiveTick) {
        self.ticks.update(|ticks| add_tick(ticks, tick));
    }
}

/// Adds a second to the series of its own measurement. A second that is told again replaces the first telling.
fn add_tick(ticks: &mut Vec<LiveTick>, tick: LiveTick) {
    if ticks.last().is_some_and(|last| last.measurement_id != tick.measurement_id) {
        ticks.clear();
    }
    ticks.retain(|known| known.t_s < tick.t_s);
    ticks.push(tick);
}

/// The live panel above the matrix and the logs, which the server drew and draws anew when something happened.
#[island]
pub fn LiveRun(
    /// The run's id.
    run_id: String,
    /// The last event that the page already shows.
    last_seq: i64,
    /// Whether the run will not change any more: then there is nothing to watch but the logs.
    is_final: bool,
    /// The measurement that is being taken, if one is.
    measured: Option<Measured>,
    /// The matrix and the logs.
    children: Children,
) -> impl IntoView {
    let watched = Watched {
        connection: RwSignal::new(if is_final { Connection::Over } else { Connection::Connecting }),
        is_measuring: RwSignal::new(measured.is_some()),
        measured: RwSignal::new(measured),
        ticks: RwSignal::new(Vec::new()),
        news: RwSignal::new(String::new()),
    };
    let log = StoredValue::new_local(Log::default());
    Effect::new(move |_| {
        let log = log.get_value();
        log.follow();
        if !is_final {
            Feed::open(&run_id, last_seq, watched, Refresh::new(&run_id, log));
        }
    });

    view! {
        {(!is_final).then(|| view! { <Panel watched /> })}
        <div on:change=move |event: web_sys::Event| log.with_value(|log| log.changed(&event))>{children()}</div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tick(measurement_id: &str, t_s: u32) -> LiveTick {
        LiveTick {
            measurement_id: measurement_id.to_owned(),
            ended: 0,
            planned: 10,
            t_s,
            completed: 0,
            failed: 0,
            in_flight: 0,
            output_tokens: 0,
            ttft_p50_ms: None,
        }
    }

    fn seconds(ticks: &[LiveTick]) -> Vec<u32> {
        ticks.iter().map(|tick| tick.t_s).collect()
    }

    #[test]
    fn a_second_that_is_told_again_counts_once() {
        let mut ticks = Vec::new();
        for t_s in [0, 1, 2, 1, 2, 3] {
            add_tick(&mut ticks, tick("a", t_s));
        }
        assert_eq!(seconds(&ticks), [0, 1, 2, 3]);
    }

    #[test]
    fn another_measurement_begins_a_new_series() {
        let mut ticks = vec![tick("a", 0), tick("a", 1)];
        add_tick(&mut ticks, tick("b", 5));
        assert_eq!(seconds(&ticks), [5]);
    }
}
