//! Text for the two elements whose content Leptos writes as it is: `<textarea>` and `<title>`.

/// The text with `&` and `<` as character references, so that it can neither end its element nor begin another one.
#[must_use]
pub fn raw_text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::raw_text;

    #[test]
    fn nothing_ends_the_element() {
        assert_eq!(raw_text("</title><b>&lt;"), "&lt;/title>&lt;b>&amp;lt;");
    }
}
