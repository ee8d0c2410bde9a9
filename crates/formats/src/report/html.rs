//! The report as one HTML file that needs nothing else.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use podium_domain::report::Report;

use super::document::{Block, Cell, Table, document};

/// A picture of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// What it shows.
    pub title: String,
    /// What to read from it.
    pub caption: String,
    /// The picture itself, as our own renderer drew it: it is not escaped.
    pub svg: String,
}

impl AsRef<Figure> for Figure {
    fn as_ref(&self) -> &Figure {
        self
    }
}

/// Writes `report` as a self-contained page: no script, no network, readable in light and dark and on paper.
/// `figures` are shown in their order, behind the answers.
pub fn html(report: &Report, figures: &[impl AsRef<Figure>]) -> String {
    let figures: Vec<&Figure> = figures.iter().map(AsRef::as_ref).collect();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                // Nothing in it may load anything or run.
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                title { (report.title) @if report.is_simulated() { " (simulated)" } }
                style { (PreEscaped(include_str!("html.css"))) }
            }
            body {
                main { @for block in document(report) { (render(&block, &figures)) } }
            }
        }
    };
    page.into_string()
}

fn render(block: &Block, figures: &[&Figure]) -> Markup {
    html! {
        @match block {
            Block::Title(text) => h1 { (text) },
            Block::Heading(2, text) => h2 { (text) },
            Block::Heading(_, text) => h3 { (text) },
            Block::Banner { label, text } => p.banner { strong { (label) } ": " (text) },
            Block::Answer(text) => p.answer { (text) },
            Block::Paragraph(text) => p { (text) },
            Block::Facts(facts) => dl { @for (what, value) in facts { dt { (what) } dd { (value) } } },
            Block::List(items) => ul { @for item in items { li { (item) } } },
            Block::Table(content) => (table(content)),
            Block::Command { label, text } => { p.label { (label) } pre { code { (text) } } },
            Block::Folded { title, forms } => details {
                summary {
                    (title) ":" @for (index, form) in forms.iter().enumerate() { @if index > 0 { "," } " " (form.title) }
                }
                @for form in forms {
                    p.label { (form.title) " (" (form.file_name) ")" }
                    pre { code { (form.text) } }
                }
            },
            Block::Figures => @for figure in figures { (picture(figure)) },
        }
    }
}

fn picture(figure: &Figure) -> Markup {
    html! {
        figure aria-label=(figure.title) {
            (PreEscaped(&figure.svg))
            figcaption { strong { (figure.title) } ". " (figure.caption) }
        }
    }
}

fn table(table: &Table) -> Markup {
    html! {
        // A wide table scrolls; the keyboard has to reach it.
        div.scroll tabindex="0" role="region" aria-label="table" {
            table {
                thead { tr { @for column in &table.columns { th scope="col" class=[column.numeric.then_some("num")] { (column.title) } } } }
                tbody {
                    @for row in &table.rows { tr { @for value in row { (cell(value)) } } }
                }
            }
        }
        @if table.cut > 0 { p { "… and " (table.cut) " more." } }
    }
}

fn cell(cell: &Cell) -> Markup {
    html! {
        @match cell {
            Cell::Absent => td.num { "–" },
            Cell::Text(text) => td { (text) },
            Cell::Figure(text) => td.num { (text) },
            Cell::Id { text, simulated } => td { code { (text) } @if *simulated { span.tag { "simulated" } } },
            Cell::Command(text) => td { code.command { (text) } },
        }
    }
}
