//! The stream of a run's events, which the browser resumes where it broke off.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast as _;
use leptos::wasm_bindgen::closure::Closure;
use web_sys::{Event, EventSource, MessageEvent};

use super::Watched;
use super::page::Refresh;
use crate::dto::{LiveChange, LiveTick};

/// How long to wait before a stream that the server refused is asked for again.
const RETRY_AFTER: Duration = Duration::from_secs(3);

/// Events before the page's own that are asked for again: they hold the seconds of the measurement that is being
/// taken, which the page as the server drew it does not.
const REPLAYED: i64 = 120;

/// Whether news arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Connection {
    /// Not yet.
    Connecting,
    /// Yes.
    Live,
    /// No longer; it is being tried again.
    Lost,
    /// There will be no more.
    Over,
}

/// A stream of events from a position on.
#[derive(Clone)]
pub(super) struct Feed {
    run_id: Rc<str>,
    /// The last event that the page showed when it was drawn.
    shown: i64,
    /// The last event that was received.
    received: Rc<Cell<i64>>,
    watched: Watched,
    refresh: Refresh,
}

impl Feed {
    /// Opens the stream and keeps it open until the run is over.
    pub(super) fn open(run_id: &str, shown: i64, watched: Watched, refresh: Refresh) {
        let received = Rc::new(Cell::new((shown - REPLAYED).max(0)));
        Self { run_id: run_id.into(), shown, received, watched, refresh }.connect();
    }

    fn connect(self) {
        let url = format!("/runs/{}/events?after={}", self.run_id, self.received.get());
        let Ok(source) = EventSource::new(&url) else {
            // The address is one of ours, so that only a browser without EventSource comes here.
            self.watched.connection.set(Connection::Lost);
            return;
        };
        let connection = self.watched.connection;
        listen(&source, "open", move |_| connection.set(Connection::Live));

        let feed = self.clone();
        listen(&source, "tick", move |event| {
            if let Some(tick) = feed.read::<LiveTick>(event) {
                feed.watched.tick(tick);
            }
        });

        let (feed, of_change) = (self.clone(), source.clone());
        listen(&source, "change", move |event| {
            if let Some(change) = feed.read::<LiveChange>(event) {
                feed.change(change, &of_change);
            }
        });

        let of_error = source.clone();
        listen(&source, "error", move |_| {
            if connection.get_untracked() == Connection::Over {
                return;
            }
            connection.set(Connection::Lost);
            // The browser tries again by itself except where the server answered with an error.
            if of_error.ready_state() == EventSource::CLOSED {
                let feed = self.clone();
                set_timeout(move || feed.connect(), RETRY_AFTER);
            }
        });
    }

    /// The data of an event, whose position is noted.
    fn read<T: serde::de::DeserializeOwned>(&self, event: Event) -> Option<T> {
        let event: MessageEvent = event.dyn_into().ok()?;
        if let Ok(seq) = event.last_event_id().parse() {
            self.received.set(seq);
        }
        serde_json::from_str(&event.data().as_string()?).ok()
    }

    fn change(&self, change: LiveChange, source: &EventSource) {
        if let Some(measured) = change.began {
            self.watched.begin(measured);
        }
        if let Some(measurement_id) = change.ended {
            self.watched.end(&measurement_id);
        }
        if self.received.get() > self.shown {
            self.watched.news.set(change.text);
            self.refresh.soon();
        }
        if change.is_final {
            source.close();
            self.watched.is_measuring.set(false);
            self.watched.connection.set(Connection::Over);
        }
    }
}

/// Listens for as long as the page lives, which is as long as the island does.
fn listen(source: &EventSource, name: &str, handler: impl FnMut(Event) + 'static) {
    let closure = Closure::<dyn FnMut(Event)>::new(handler);
    // It fails for null arguments alone.
    let _ = source.add_event_listener_with_callback(name, closure.as_ref().unchecked_ref());
    closure.forget();
}
