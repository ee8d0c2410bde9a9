//! The report as Markdown (with GitHub's tables).

use podium_domain::report::Report;

use super::document::{Block, Cell, Table, document};

/// Writes `report` as Markdown. Every text of the report is escaped, so that no value can add structure.
pub fn markdown(report: &Report) -> String {
    let mut out = String::new();
    for block in document(report) {
        render(&block, &mut out);
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn render(block: &Block, out: &mut String) {
    match block {
        Block::Title(text) => paragraph(out, &format!("# {}", escape(text))),
        Block::Heading(level, text) => {
            paragraph(out, &format!("{} {}", "#".repeat(usize::from(*level)), escape(text)));
        }
        Block::Banner { label, text } => paragraph(out, &format!("> **{label}**: {}", escape(text))),
        Block::Answer(text) => paragraph(out, &format!("**{}**", escape(text))),
        Block::Paragraph(text) => paragraph(out, &escape(text)),
        Block::Facts(facts) => {
            list(out, facts.iter().map(|(what, value)| format!("{}: {}", escape(what), escape(value))));
        }
        Block::List(items) => list(out, items.iter().map(|item| escape(item))),
        Block::Table(content) => table(content, out),
        Block::Command { label, text } => {
            paragraph(out, &format!("{label}:"));
            fenced(out, "bash", text);
        }
        Block::Folded { title, forms } => {
            let titles: Vec<_> = forms.iter().map(|form| form.title).collect();
            paragraph(out, &format!("<details>\n<summary>{title}: {}</summary>", titles.join(", ")));
            for form in forms {
                paragraph(out, &format!("{} ({}):", escape(form.title), code(&form.file_name)));
                fenced(out, form.language, form.text.trim_end());
            }
            paragraph(out, "</details>");
        }
        // Pictures have no place in a text file.
        Block::Figures => {}
    }
}

fn paragraph(out: &mut String, text: &str) {
    out.push_str(text);
    out.push_str("\n\n");
}

fn fenced(out: &mut String, language: &str, text: &str) {
    let fence = "`".repeat((longest_run(text, '`') + 1).max(3));
    paragraph(out, &format!("{fence}{language}\n{text}\n{fence}"));
}

fn list(out: &mut String, items: impl Iterator<Item = String>) {
    for item in items {
        out.push_str(&format!("- {item}\n"));
    }
    out.push('\n');
}

fn table(table: &Table, out: &mut String) {
    let titles: Vec<_> = table.columns.iter().map(|column| escape(column.title)).collect();
    out.push_str(&format!("| {} |\n", titles.join(" | ")));
    let rules: Vec<_> = table.columns.iter().map(|column| if column.numeric { "---:" } else { "---" }).collect();
    out.push_str(&format!("| {} |\n", rules.join(" | ")));
    for row in &table.rows {
        let cells: Vec<_> = row.iter().map(cell).collect();
        out.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    out.push('\n');
    if table.cut > 0 {
        paragraph(out, &format!("… and {} more.", table.cut));
    }
}

fn cell(cell: &Cell) -> String {
    match cell {
        Cell::Absent => "–".to_owned(),
        Cell::Text(text) | Cell::Figure(text) => escape(text),
        Cell::Id { text, simulated } => format!("{}{}", code(text), if *simulated { " **simulated**" } else { "" }),
        Cell::Command(text) => code(text),
    }
}

/// A code span within a table cell. A bar ends a cell even there, so it is escaped; a line break becomes a blank.
fn code(text: &str) -> String {
    let text = one_line(text).replace('|', "\\|");
    let fence = "`".repeat(longest_run(&text, '`') + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    if text.is_empty() { String::new() } else { format!("{fence}{pad}{text}{pad}{fence}") }
}

fn longest_run(text: &str, c: char) -> usize {
    text.split(|other| other != c).map(str::len).max().unwrap_or(0)
}

fn one_line(text: &str) -> String {
    text.split(['\n', '\r']).map(str::trim_end).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Text without any meaning to Markdown, on one line.
fn escape(text: &str) -> String {
    let text = one_line(text);
    let mut out = String::with_capacity(text.len());
    for (index, c) in text.char_indices() {
        let before = text[..index].chars().next_back();
        let after = text[index + c.len_utf8()..].chars().next();
        let special = match c {
            '\\' | '`' | '*' | '[' | ']' | '|' | '~' => true,
            // Inside a word an underscore means nothing.
            '_' => !(before.is_some_and(char::is_alphanumeric) && after.is_some_and(char::is_alphanumeric)),
            '#' | '-' | '+' | '=' => index == 0 && (after == Some(' ') || after == Some(c) || after.is_none()),
            '.' | ')' => text[..index].chars().all(|c| c.is_ascii_digit()) && index > 0 && after == Some(' '),
            _ => false,
        };
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            c if special => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}
