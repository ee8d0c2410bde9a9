//! The style sheet: the files that `style/main.css` imports, joined in that order.

use std::path::Path;

use anyhow::{Context as _, Result, bail};

/// Joins the parts of `<folder>/main.css` into one text. Comments and the white space at line ends are left out.
///
/// # Errors
/// When a part cannot be read, or the main file holds anything but imports.
pub fn join(folder: &Path) -> Result<String> {
    let main = folder.join("main.css");
    let main = std::fs::read_to_string(&main).with_context(|| format!("cannot read {}", main.display()))?;
    let mut joined = String::new();
    for name in imports(&main)? {
        let part = folder.join(name);
        let text = std::fs::read_to_string(&part).with_context(|| format!("cannot read {}", part.display()))?;
        joined.push_str(&compact(&text));
    }
    Ok(joined)
}

fn imports(main: &str) -> Result<Vec<&str>> {
    let without_comments_from = |line: &&str| !line.is_empty() && !line.starts_with("/*");
    main.lines()
        .map(str::trim)
        .filter(without_comments_from)
        .map(|line| match line.strip_prefix("@import \"").and_then(|rest| rest.strip_suffix("\";")) {
            Some(name) => Ok(name),
            None => bail!("style/main.css: expected `@import \"name.css\";`, found `{line}`"),
        })
        .collect()
}

/// Leaves out comments, indentation and empty lines. Line breaks stay: they separate what must be separate.
fn compact(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("/*") {
        kept.push_str(&rest[..start]);
        rest = rest[start..].find("*/").map_or("", |end| &rest[start + end + 2..]);
    }
    kept.push_str(rest);
    kept.lines().map(str::trim).filter(|line| !line.is_empty()).flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_named_in_order() {
        let main = "/* order matters */\n@import \"a.css\";\n\n@import \"b.css\";\n";
        assert_eq!(imports(main).expect("two imports"), ["a.css", "b.css"]);
    }

    #[test]
    fn a_rule_in_the_main_file_is_refused() {
        let error = imports("body { margin: 0 }").expect_err("only imports belong there");
        assert!(error.to_string().contains("body"), "{error}");
    }

    #[test]
    fn comments_and_indentation_go() {
        assert_eq!(compact("/* one\n two */\na {\n  color: red; /* why */\n}\n"), "a {\ncolor: red;\n}\n");
    }
}
