//! Notes that people write: Markdown as HTML that does nothing but show.

use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};

/// Where a link may lead.
const SCHEMES: [&str; 4] = ["http://", "https://", "mailto:", "/"];

/// The text as HTML. HTML within it is shown as it is written, an image is its description, and a link that leads
/// neither to the web, to mail nor to a page of ours leads nowhere.
#[must_use]
pub fn to_html(text: &str) -> String {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let events = Parser::new_ext(text, options).filter_map(|event| match event {
        Event::Html(text) | Event::InlineHtml(text) => Some(Event::Text(text)),
        Event::Start(Tag::HtmlBlock) => Some(Event::Start(Tag::Paragraph)),
        Event::End(TagEnd::HtmlBlock) => Some(Event::End(TagEnd::Paragraph)),
        Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image) => None,
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            let dest_url = if is_allowed(&dest_url) { dest_url } else { CowStr::from("#") };
            Some(Event::Start(Tag::Link { link_type, dest_url, title, id }))
        }
        // The page's own headings come first.
        Event::Start(Tag::Heading { .. }) => Some(Event::Start(Tag::Paragraph)),
        Event::End(TagEnd::Heading(_)) => Some(Event::End(TagEnd::Paragraph)),
        other => Some(other),
    });
    let mut out = String::new();
    html::push_html(&mut out, events);
    out
}

fn is_allowed(url: &str) -> bool {
    let url = url.to_ascii_lowercase();
    // Two slashes at the start lead to another host, as in `//evil.example`.
    SCHEMES.iter().any(|scheme| url.starts_with(scheme)) && !url.starts_with("//") && !url.starts_with("/\\")
}

#[cfg(test)]
mod tests {
    use super::to_html;

    #[test]
    fn usual_text_is_marked_up() {
        let html =
            to_html("**slow** since `0.25`\n\n- a\n- [b](https://example.org/x)\n\n| a | b |\n|---|---|\n| 1 | 2 |\n");
        for part in
            ["<strong>slow</strong>", "<code>0.25</code>", "<li>a</li>", "href=\"https://example.org/x\"", "<td>1</td>"]
        {
            assert!(html.contains(part), "{part} in {html}");
        }
    }

    #[test]
    fn nothing_that_was_written_becomes_an_element_of_the_page() {
        let cases = [
            "<script>alert(1)</script>",
            "a <img src=x onerror=alert(1)> b",
            "![x](http://evil.example/a.png)",
            "<div onclick=x>\n\ntext",
            "`<b>`",
            "# <i>head",
            "[a]: <javascript:x>\n\n[b][a]",
            "[x](JaVaScRiPt:alert(1))",
            "[x](data:text/html,x)",
            "[x](//evil.example)",
            "[x](/\\evil.example)",
            "<javascript:alert(1)>",
            "[x](https://a\" onmouseover=\"b)",
            "[x](<https://a\" onmouseover=\"b>)",
        ];
        for text in cases {
            let html = to_html(text);
            let elements: Vec<_> =
                html.split('<').skip(1).map(|rest| rest.split(['>', ' ']).next().unwrap_or("")).collect();
            let allowed = ["p", "/p", "code", "/code", "a", "/a"];
            assert!(elements.iter().all(|element| allowed.contains(element)), "{text}: {html}");
            let address = html.split("href=\"").nth(1).and_then(|rest| rest.split('"').next());
            assert!(address.is_none_or(|address| address == "#" || address.starts_with("https://a")), "{text}: {html}");
            let tags: Vec<_> = html.split('<').skip(1).filter_map(|rest| rest.split('>').next()).collect();
            assert!(tags.iter().all(|tag| !tag.contains("\" onmouseover")), "{text}: {html}");
        }
    }
}
