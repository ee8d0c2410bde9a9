//! The parts of the page that the server draws anew when something happened.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;

use super::Watched;
use crate::api::watch_run;

/// Ids of the parts.
const HEAD: &str = "run-head";
const MATRIX: &str = "run-matrix";

/// News within this time are answered by one refresh.
const GATHER: Duration = Duration::from_millis(300);

/// Fetches the parts again, one request at a time.
#[derive(Clone)]
pub(super) struct Refresh {
    run_id: Rc<str>,
    watched: Watched,
    is_scheduled: Rc<Cell<bool>>,
}

impl Refresh {
    pub(super) fn new(run_id: String, watched: Watched) -> Self {
        Self { run_id: run_id.into(), watched, is_scheduled: Rc::default() }
    }

    /// Fetches the parts in a moment, together with whatever else happens until then.
    pub(super) fn soon(&self) {
        if self.is_scheduled.replace(true) {
            return;
        }
        let refresh = self.clone();
        set_timeout(
            move || {
                spawn_local(async move {
                    // What happens from here on is not in the answer and asks for another one.
                    refresh.is_scheduled.set(false);
                    // A refresh that fails is made up for by the next one; the connection's own state is shown.
                    if let Ok(state) = watch_run(refresh.run_id.to_string()).await {
                        replace(HEAD, &state.head_html);
                        replace(MATRIX, &state.matrix_html);
                        refresh.watched.launches.set(state.launches);
                    }
                });
            },
            GATHER,
        );
    }
}

/// Puts new content into a part; what the reader had opened stays open.
fn replace(id: &str, html: &str) {
    let Some(part) = document().get_element_by_id(id) else { return };
    let open = ids_of_open(&part);
    part.set_inner_html(html);
    for id in open {
        if let Some(details) = document().get_element_by_id(&id) {
            // A constant, valid attribute name.
            let _ = details.set_attribute("open", "");
        }
    }
}

fn ids_of_open(part: &web_sys::Element) -> Vec<String> {
    let open = part.get_elements_by_tag_name("details");
    (0..open.length())
        .filter_map(|index| open.item(index))
        .filter(|details| details.has_attribute("open"))
        .map(|details| details.id())
        .collect()
}
