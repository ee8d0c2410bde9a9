//! `version_manifest`: what a plan states of the software that it was written for. A plan is not wrong without it, and
//! whatever else stands there is kept and means nothing here.

use std::collections::BTreeMap;

use podium_domain::framework::Framework;
use serde_json::Value;

use super::tree;

/// What a plan states of one framework.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatedVersion {
    /// Its version.
    pub version: Option<String>,
    /// Its commit.
    pub commit: Option<String>,
}

/// Reads what a plan's text states, by framework: a version alone, or a mapping of version and commit.
pub fn version_manifest(text: &str) -> BTreeMap<Framework, StatedVersion> {
    let Ok(tree) = tree::parse(text) else { return BTreeMap::new() };
    let plan = tree.root.to_value();
    let Some(manifest) = plan.get("version_manifest").and_then(Value::as_object) else { return BTreeMap::new() };
    manifest.iter().filter_map(|(name, value)| Some((name.parse().ok()?, stated(value)))).collect()
}

fn stated(value: &Value) -> StatedVersion {
    let word = |value: &Value| match value {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        // YAML reads `0.5` as a number.
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let Value::Object(entry) = value else { return StatedVersion { version: word(value), ..Default::default() } };
    let first = |names: &[&str]| names.iter().find_map(|name| word(entry.get(*name)?));
    StatedVersion {
        version: first(&["version", "framework_version"]),
        commit: first(&["commit", "framework_commit", "git_commit"]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_commits_are_read_and_the_rest_is_left() {
        let text = "version_manifest:\n  vllm: {version: 0.32.0, git_commit: abc1234, image: org/vllm:v0.32.0}\n  \
                    sglang: 0.5\n  tensorrt_llm: {digest: 'sha256:00', image: a}\n  cuda: '12.4'\n";
        let found = version_manifest(text);
        assert_eq!(found.len(), 3);
        let vllm = &found[&Framework::Vllm];
        let words = [&vllm.version, &vllm.commit].map(|word| word.as_deref().unwrap_or_default());
        assert_eq!(words, ["0.32.0", "abc1234"]);
        assert_eq!(found[&Framework::Sglang].version.as_deref(), Some("0.5"));
        assert_eq!(found[&Framework::TensorrtLlm], StatedVersion::default());
        for text in ["", "model: x\n", "version_manifest: 3\n", "a: [", "version_manifest: {vllm: null}\n"] {
            assert!(version_manifest(text).values().all(|stated| *stated == StatedVersion::default()), "{text}");
        }
    }
}
