//! The end of an engine's log, as it grows. The server draws the picker; the text is fetched part by part.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos::wasm_bindgen::JsCast as _;
use web_sys::{Element, Event, HtmlSelectElement};

use crate::api::launch_log;
use crate::islands::parts::{part, replace, set_text, show};

/// How often a log that may still grow is asked for more.
const EVERY: Duration = Duration::from_millis(1_000);

/// How much of a log the page keeps, in bytes; the rest is one link away.
const KEEP_BYTES: usize = 256 * 1024;

/// Closer to the end than this, in pixels, the view follows it.
const NEAR_END_PX: i32 = 40;

/// The picker's id.
const PICKER: &str = "log-launch";

/// The log that is shown; clones are the same one.
#[derive(Clone, Default)]
pub(super) struct Log(Rc<Shown>);

#[derive(Default)]
struct Shown {
    /// The launch; empty while none is chosen.
    launch: RefCell<String>,
    text: RefCell<String>,
    /// Where the next part begins, in bytes.
    offset: Cell<u64>,
    is_busy: Cell<bool>,
}

impl Log {
    /// Asks for more from now on, as long as the chosen log may grow.
    pub(super) fn follow(&self) {
        let log = self.clone();
        // The page never stops it: it ends with the page.
        let _ = set_interval_with_handle(
            move || {
                if is_open(&log.0.launch.borrow()) {
                    log.ask();
                }
            },
            EVERY,
        );
    }

    /// Another launch was chosen.
    pub(super) fn changed(&self, event: &Event) {
        let picker = event.target().and_then(|target| target.dyn_into::<HtmlSelectElement>().ok());
        if let Some(picker) = picker.filter(|picker| picker.id() == PICKER) {
            let launch = picker.value();
            show("log-text", !launch.is_empty());
            show("log-problem", false);
            set_text("log-text", "");
            self.0.text.borrow_mut().clear();
            self.0.offset.set(0);
            self.0.launch.replace(launch);
            self.ask();
        }
    }

    /// There are other launches to choose from, or one has ended.
    pub(super) fn set_launches(&self, html: &str) {
        replace("log-launches", html);
        if let Some(picker) = part(PICKER).and_then(|picker| picker.dyn_into::<HtmlSelectElement>().ok()) {
            picker.set_value(&self.0.launch.borrow());
        }
        // The last lines come when the engine has just ended.
        self.ask();
    }

    fn ask(&self) {
        let launch = self.0.launch.borrow().clone();
        if launch.is_empty() || self.0.is_busy.replace(true) {
            return;
        }
        let log = self.clone();
        spawn_local(async move {
            loop {
                let part = launch_log(launch.clone(), log.0.offset.get()).await;
                // The reader may have chosen another one meanwhile.
                if *log.0.launch.borrow() != launch {
                    break;
                }
                match part {
                    // Where there was something, there may be more: a long log comes in parts.
                    Ok(part) if !part.text.is_empty() => {
                        log.0.offset.set(part.next_offset);
                        log.add(&part.text);
                    }
                    Ok(_) => break,
                    Err(error) => {
                        set_text("log-problem", &format!("The log cannot be read: {error}."));
                        show("log-problem", true);
                        break;
                    }
                }
            }
            log.0.is_busy.set(false);
            if *log.0.launch.borrow() != launch {
                log.ask();
            }
        });
    }

    fn add(&self, more: &str) {
        let Some(block) = part("log-text") else { return };
        let follows = is_near_end(&block);
        let mut text = self.0.text.borrow_mut();
        append(&mut text, more);
        block.set_text_content(Some(&text));
        if follows {
            block.set_scroll_top(block.scroll_height());
        }
    }
}

/// Whether a launch's log may still grow, as its option says.
fn is_open(launch: &str) -> bool {
    !launch.is_empty() && part(&format!("log-of-{launch}")).is_some_and(|option| option.has_attribute("data-open"))
}

/// Adds to the text and drops whole lines from its beginning where it becomes too long.
fn append(text: &mut String, more: &str) {
    text.push_str(more);
    if text.len() > KEEP_BYTES {
        let mut cut = text.len() - KEEP_BYTES;
        while !text.is_char_boundary(cut) {
            cut += 1;
        }
        let line = text[cut..].find('\n').map_or(cut, |end| cut + end + 1);
        text.drain(..line);
    }
}

fn is_near_end(block: &Element) -> bool {
    block.scroll_height() - block.scroll_top() - block.client_height() < NEAR_END_PX
}

#[cfg(test)]
mod tests {
    use super::{KEEP_BYTES, append};

    #[test]
    fn whole_lines_go_first() {
        let mut text = String::new();
        for number in 0..100_000 {
            append(&mut text, &format!("líne {number}\n"));
        }
        assert!(text.len() <= KEEP_BYTES);
        assert!(text.starts_with("líne ") && text.ends_with("líne 99999\n"));
    }
}
