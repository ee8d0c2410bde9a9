//! The editor's elements, by the ids that the server gives them, and what they say about themselves.

use leptos::wasm_bindgen::JsCast as _;
use web_sys::{Element, Event, HtmlFormElement, HtmlInputElement, HtmlSelectElement, HtmlTextAreaElement};

use crate::dto::FormEdit;
use crate::islands::parts::part;

/// The text area.
pub(super) fn text_area() -> Option<HtmlTextAreaElement> {
    part("plan-yaml")?.dyn_into().ok()
}

/// The form that starts the plan.
pub(super) fn start_form() -> Option<HtmlFormElement> {
    part("plan-start")?.dyn_into().ok()
}

/// The host that a run would be started on.
pub(super) fn chosen_host() -> Option<String> {
    Some(part("start-host")?.dyn_into::<HtmlSelectElement>().ok()?.value())
}

/// The element that an event happened to.
pub(super) fn target(event: &Event) -> Option<Element> {
    event.target()?.dyn_into().ok()
}

/// The edit that an input or a button stands for.
pub(super) fn edit_of(element: &Element) -> Option<FormEdit> {
    let template = element.get_attribute("data-edit")?;
    let words = |name: &str| -> Vec<String> {
        let text = element.get_attribute(name).unwrap_or_default();
        text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    let slots = words("data-slots");
    let values = match element.tag_name().as_str() {
        "BUTTON" => words("data-inputs").iter().map(|id| part(id).map(|input| value_of(&input))).collect(),
        _ => Some(vec![value_of(element)]),
    }?;
    // A new flag needs both its name and its value.
    let is_complete = !values.iter().any(|value| value.trim().is_empty()) || element.tag_name() != "BUTTON";
    is_complete.then_some(FormEdit { template, slots, values })
}

fn value_of(element: &Element) -> String {
    if let Some(input) = element.dyn_ref::<HtmlInputElement>() {
        if input.type_() == "checkbox" { input.checked().to_string() } else { input.value() }
    } else if let Some(select) = element.dyn_ref::<HtmlSelectElement>() {
        select.value()
    } else {
        String::new()
    }
}

/// Puts the cursor on a line of the text, from 1, and selects it.
pub(super) fn select_line(line: u32) {
    let Some(area) = text_area() else { return };
    let text = area.value();
    let (start, end) = line_range(&text, line);
    // Both fail for elements that have no selection, which a text area has.
    let _ = area.focus();
    let _ = area.set_selection_range(start, end);
    // Lines are equally high and not wrapped.
    let lines = text.split('\n').count() as i32;
    area.set_scroll_top(area.scroll_height() / lines.max(1) * line.saturating_sub(4) as i32);
}

/// Where a line begins and ends, in the UTF-16 units that browsers count in.
fn line_range(text: &str, line: u32) -> (u32, u32) {
    let mut start = 0;
    for (number, content) in (1..).zip(text.split('\n')) {
        let end = start + content.encode_utf16().count() as u32;
        if number == line {
            return (start, end);
        }
        start = end + 1;
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
