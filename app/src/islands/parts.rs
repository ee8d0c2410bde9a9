//! Parts of the page that the server draws anew.

use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast as _;
use web_sys::{Element, HtmlInputElement};

/// The element with this id.
pub(super) fn part(id: &str) -> Option<Element> {
    document().get_element_by_id(id)
}

/// Shows or hides an element.
pub(super) fn show(id: &str, shown: bool) {
    if let Some(element) = part(id) {
        // A constant, valid attribute name: neither can fail.
        let _ = if shown { element.remove_attribute("hidden") } else { element.set_attribute("hidden", "") };
    }
}

/// Sets an element's text.
pub(super) fn set_text(id: &str, text: &str) {
    if let Some(element) = part(id) {
        element.set_text_content(Some(text));
    }
}

/// Puts new content into a part. What the reader had opened, closed or ticked stays so, and the input that has the
/// focus keeps it together with what was typed.
pub(super) fn replace(id: &str, html: &str) {
    let Some(part) = part(id) else { return };
    let folds = folds(&part);
    let ticks = ticks(&part);
    let focus = Focus::within(&part);
    part.set_inner_html(html);
    for (id, is_open) in folds {
        if let Some(details) = self::part(&id) {
            // As above.
            let _ = if is_open { details.set_attribute("open", "") } else { details.remove_attribute("open") };
        }
    }
    for (id, is_ticked) in ticks {
        if let Some(input) = self::part(&id).and_then(|element| element.dyn_into::<HtmlInputElement>().ok()) {
            input.set_checked(is_ticked);
        }
    }
    if let Some(focus) = focus {
        focus.restore();
    }
}

/// The boxes that belong to a form that will be sent. Boxes without a name show what the server says.
fn ticks(part: &Element) -> Vec<(String, bool)> {
    let all = part.get_elements_by_tag_name("input");
    (0..all.length())
        .filter_map(|index| all.item(index)?.dyn_into::<HtmlInputElement>().ok())
        .filter(|input| input.type_() == "checkbox" && !input.name().is_empty())
        .map(|input| (input.id(), input.checked()))
        .collect()
}

/// The parts that fold, and whether they are open.
fn folds(part: &Element) -> Vec<(String, bool)> {
    let all = part.get_elements_by_tag_name("details");
    (0..all.length())
        .filter_map(|index| all.item(index))
        .map(|details| (details.id(), details.has_attribute("open")))
        .collect()
}

/// The element that has the focus.
struct Focus {
    id: String,
    /// What stands in it and what of that is selected, in an input.
    entered: Option<(String, Option<(u32, u32)>)>,
}

impl Focus {
    fn within(part: &Element) -> Option<Self> {
        let active = document().active_element().filter(|active| part.contains(Some(active)))?;
        let input = active.dyn_ref::<HtmlInputElement>().filter(|input| input.type_() == "text");
        // It fails for inputs that have no cursor.
        let selected = |input: &HtmlInputElement| {
            Some((input.selection_start().ok().flatten()?, input.selection_end().ok().flatten()?))
        };
        let entered = input.map(|input| (input.value(), selected(input)));
        Some(Self { id: active.id(), entered })
    }

    fn restore(self) {
        let Some(element) = part(&self.id) else { return };
        if let Some(input) = element.dyn_ref::<HtmlInputElement>() {
            let _ = input.focus();
            if let Some((text, selected)) = self.entered {
                input.set_value(&text);
                if let Some((start, end)) = selected {
                    let _ = input.set_selection_range(start, end);
                }
            }
        } else if let Some(element) = element.dyn_ref::<web_sys::HtmlElement>() {
            let _ = element.focus();
        }
    }
}
