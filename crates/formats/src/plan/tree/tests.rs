use super::*;

fn spans(text: &str) -> Vec<(String, String, bool)> {
    fn walk(node: &Node, text: &str, path: &str, out: &mut Vec<(String, String, bool)>) {
        out.push((path.to_owned(), text[node.start..node.end].to_owned(), node.flow));
        match &node.content {
            Content::Scalar(_) => {}
            Content::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    walk(item, text, &format!("{path}[{index}]"), out);
                }
            }
            Content::Mapping(entries) => {
                for entry in entries {
                    walk(&entry.value, text, &format!("{path}.{}", entry.key), out);
                }
            }
        }
    }
    let tree = parse(text).unwrap();
    let mut out = Vec::new();
    walk(&tree.root, text, "", &mut out);
    out
}

fn expect(text: &str, expected: &[(&str, &str)]) {
    let spans = spans(text);
    for (path, written) in expected {
        let found = spans.iter().find(|(p, ..)| p == path).unwrap_or_else(|| panic!("{path} in {spans:?}"));
        assert_eq!(found.1, *written, "{path}");
    }
}

#[test]
fn spans_are_what_is_written() {
    let text = "a: é 1 # x\nb:\n  - 'q'  # q\n  - [1, 2]  # y\n  # tail\nc: {k: v, \"l\": w} # z\nd: &x 5 # c\n";
    let block = "- 'q'  # q\n  - [1, 2]";
    expect(text, &[(".a", "é 1"), (".b", block), (".b[0]", "'q'"), (".c", "{k: v, \"l\": w}"), (".d", "&x 5")]);
    expect("f: &l [1] # c\nz: []\ny: {} # c\ng: [a: b, c]\n", &[(".f", "&l [1]"), (".z", "[]"), (".y", "{}")]);
    expect(
        "a: 'it''s' # x\nb: \"\\\"#\" # y\nc: &c 'd'  # z\n",
        &[(".a", "'it''s'"), (".b", "\"\\\"#\""), (".c", "&c 'd'")],
    );
    expect("a: plain\n  text\nb: 1   \n", &[(".a", "plain\n  text"), (".b", "1")]);
    expect("a: 1\r\nc:\r\n  d: [1,\r\n   2]\r\n", &[(".a", "1"), (".c.d", "[1,\r\n   2]")]);
    let root = parse("'k' : 3\nn:\nm: 1\n").unwrap().root;
    let keys: Vec<_> = root.entries().unwrap().iter().map(|e| (e.key.as_str(), e.key_end, e.line)).collect();
    assert_eq!(keys, [("k", 3, 1), ("n", 9, 2), ("m", 12, 3)]);
}

#[test]
fn aliases_and_merges_bring_in_values() {
    let root = parse("a: &a {x: 1, y: 2}\nb: *a\nc:\n  <<: *a\n  y: 3\n").unwrap().root;
    assert_eq!(root.get("b").unwrap().to_value(), serde_json::json!({"x": 1, "y": 2}));
    assert!(root.get("b").unwrap().alias);
    assert_eq!(root.get("c").unwrap().to_value(), serde_json::json!({"x": 1, "y": 3}));
    assert!(root.get("c").unwrap().entry("x").unwrap().merged);
}

#[test]
fn duplicate_keys_and_tags_are_named_with_their_place() {
    let tree = parse("a:\n  b: 1\n  c: !thing 2\n  b: 3\n").unwrap();
    let found: Vec<_> = tree.problems.iter().map(|p| (p.path.as_str(), p.line)).collect();
    assert_eq!(found, [("a", Some(3)), ("a.b", Some(4))]);
}

#[test]
fn bombs_are_refused() {
    let deep = "[".repeat(100) + &"]".repeat(100);
    assert!(parse(&deep).unwrap_err().message.contains("nested deeper"));
    let mut laughs = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n".to_owned();
    for level in 1..12 {
        let alias = format!("*a{}, ", level - 1).repeat(10);
        laughs.push_str(&format!("a{level}: &a{level} [{alias}]\n"));
    }
    assert!(parse(&laughs).unwrap_err().message.contains("values"));
    assert!(parse(&"#".repeat(MAX_TEXT + 1)).unwrap_err().message.contains("1 MiB"));
    assert!(parse("a: &a [*a]").is_err());
    assert!(parse("a: 1\n---\nb: 2\n").unwrap_err().message.contains("second document"));
    assert_eq!(parse("a: [1\nb: 2\n").unwrap_err().line, Some(2));
    assert!(parse(&format!("? {}\n: 1\n", "k".repeat(300))).unwrap_err().message.contains("longer than"));
}
