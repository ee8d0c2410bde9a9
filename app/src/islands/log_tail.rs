//! The end of an engine's log, as it grows.

use std::time::Duration;

use leptos::html::Pre;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::api::launch_log;
use crate::dto::LaunchRef;

/// How often a log that may still grow is asked for more.
const EVERY: Duration = Duration::from_millis(1_000);

/// How much of a log the page keeps, in bytes; the rest is one link away.
const KEEP_BYTES: usize = 256 * 1024;

/// Closer to the end than this, in pixels, the view follows it.
const NEAR_END_PX: i32 = 40;

/// A picker of launches and the log of the chosen one. Without JavaScript there are links to the logs as text.
#[component]
pub(super) fn LogTail(launches: RwSignal<Vec<LaunchRef>>) -> impl IntoView {
    let chosen = RwSignal::new(None::<String>);
    let text = RwSignal::new(String::new());
    let offset = RwSignal::new(0_u64);
    let is_busy = RwSignal::new(false);
    let problem = RwSignal::new(None::<String>);
    let block = NodeRef::<Pre>::new();

    let ask = move || {
        let Some(launch) = chosen.get_untracked() else { return };
        if is_busy.get_untracked() {
            return;
        }
        is_busy.set(true);
        spawn_local(async move {
            let part = launch_log(launch.clone(), offset.get_untracked()).await;
            is_busy.set(false);
            // The reader may have chosen another one meanwhile.
            if chosen.get_untracked().as_ref() != Some(&launch) {
                return;
            }
            match part {
                Ok(part) => {
                    problem.set(None);
                    offset.set(part.next_offset);
                    if !part.text.is_empty() {
                        let follows = block.get_untracked().is_none_or(|block| is_near_end(&block));
                        text.update(|text| append(text, &part.text));
                        if follows {
                            request_animation_frame(move || scroll_to_end(block));
                        }
                    }
                }
                Err(error) => problem.set(Some(format!("The log cannot be read: {error}."))),
            }
        });
    };
    let choose = move |id: String| {
        text.set(String::new());
        offset.set(0);
        chosen.set((!id.is_empty()).then_some(id));
        ask();
    };
    Effect::new(move |_| {
        let _ = set_interval_with_handle(
            move || {
                let grows = launches.with_untracked(|launches| {
                    let id = chosen.get_untracked();
                    launches.iter().any(|launch| launch.is_open && Some(&launch.id) == id.as_ref())
                });
                if grows {
                    ask();
                }
            },
            EVERY,
        );
    });
    // The last lines come when the engine has just ended.
    Effect::new(move |_| {
        launches.track();
        ask();
    });
    // Where there was something, there may be more: a long log comes in parts.
    Effect::new(move |previous: Option<u64>| {
        let now = offset.get();
        if previous.is_some_and(|previous| now > previous) {
            ask();
        }
        now
    });

    view! {
        <section class="logs">
            <h2>"Logs"</h2>
            <Show
                when=move || launches.with(|launches| !launches.is_empty())
                fallback=|| view! { <p class="muted">"An engine's log can be read here once it was started."</p> }
            >
                <div class="log-picker">
                    <label for="log-launch">"Launch"</label>
                    <select id="log-launch" on:change=move |event| choose(event_target_value(&event))>
                        <option value="">"Choose a launch"</option>
                        {move || {
                            launches
                                .get()
                                .into_iter()
                                .map(|launch| {
                                    let is_chosen = chosen.with_untracked(|id| id.as_ref() == Some(&launch.id));
                                    view! {
                                        <option value=launch.id selected=is_chosen>
                                            {launch.label}
                                        </option>
                                    }
                                })
                                .collect_view()
                        }}
                    </select>
                </div>
                <pre class="log" node_ref=block tabindex="0" aria-label="Log" hidden=move || chosen.with(Option::is_none)>
                    {move || text.get()}
                </pre>
                <p class="field-error" role="alert" hidden=move || problem.with(Option::is_none)>
                    {move || problem.get()}
                </p>
                <details class="log-links">
                    <summary>"Whole logs as text"</summary>
                    <ul>
                        {move || {
                            launches
                                .get()
                                .into_iter()
                                .map(|launch| {
                                    view! {
                                        <li>
                                            <a href=format!("/launches/{}/log", launch.id)>{launch.label}</a>
                                        </li>
                                    }
                                })
                                .collect_view()
                        }}
                    </ul>
                </details>
            </Show>
        </section>
    }
    .into_any()
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

fn is_near_end(block: &web_sys::HtmlPreElement) -> bool {
    block.scroll_height() - block.scroll_top() - block.client_height() < NEAR_END_PX
}

fn scroll_to_end(block: NodeRef<Pre>) {
    if let Some(block) = block.get_untracked() {
        block.set_scroll_top(block.scroll_height());
    }
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
