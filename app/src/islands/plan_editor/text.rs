//! The YAML text.

use leptos::html::Textarea;
use leptos::prelude::*;

use super::state::Editor;

/// The text area: the plan itself, with and without JavaScript.
#[component]
pub(super) fn PlanText(editor: Editor, area: NodeRef<Textarea>) -> impl IntoView {
    let initial = editor.yaml.get_untracked();
    view! {
        <div class="field">
            <label for="plan-yaml">"Plan as YAML"</label>
            <textarea
                id="plan-yaml"
                name="yaml"
                rows="28"
                spellcheck="false"
                autocomplete="off"
                node_ref=area
                aria-invalid=move || if editor.has_problems() { "true" } else { "false" }
                aria-describedby="plan-problems"
                prop:value=move || editor.yaml.get()
                on:input=move |event| editor.set_yaml(event_target_value(&event))
            >
                {initial}
            </textarea>
        </div>
    }
    .into_any()
}

/// Puts the cursor on a line, from 1, and selects it.
pub(super) fn select_line(area: NodeRef<Textarea>, line: u32) {
    let Some(area) = area.get_untracked() else { return };
    let (start, end) = line_range(&area.value(), line);
    // Both fail for text areas that have no selection, which these have.
    let _ = area.focus();
    let _ = area.set_selection_range(start, end);
    // Lines are equally high and not wrapped.
    let lines = area.value().lines().count().max(1) as i32;
    area.set_scroll_top(area.scroll_height() / lines * (line.saturating_sub(4) as i32));
}

/// Where a line begins and ends, in the UTF-16 units that browsers count in.
fn line_range(text: &str, line: u32) -> (u32, u32) {
    let mut start = 0;
    for (number, content) in (1..).zip(text.split('\n')) {
        let length = content.encode_utf16().count() as u32;
        if number == line {
            return (start, start + length);
        }
        start += length + 1;
    }
    (start.saturating_sub(1), start.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::line_range;

    #[test]
    fn lines_are_counted_in_utf16() {
        let text = "a: 1\nb: 𝛼\nc: 3";
        assert_eq!(line_range(text, 1), (0, 4));
        assert_eq!(line_range(text, 2), (5, 10));
        assert_eq!(line_range(text, 3), (11, 15));
        assert_eq!(line_range(text, 9), (15, 15));
    }
}
