//! TensorRT-LLM's options file: YAML, read as pairs of dotted path and scalar text.

use saphyr_parser::{Event, Parser};

/// The scalars of a file's mappings, in order; the path of a nested one has dots. Lists are left out: no simulated
/// option is one.
///
/// # Errors
/// When the text is not YAML or its top level is no mapping.
pub(super) fn scalars(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut found = Vec::new();
    let mut levels: Vec<Level> = Vec::new();
    for event in Parser::new_from_str(text) {
        let (event, _) = event.map_err(|error| error.to_string())?;
        match event {
            Event::MappingStart(..) => levels.push(Level::Mapping(None)),
            Event::SequenceStart(..) => levels.push(Level::Sequence),
            Event::MappingEnd | Event::SequenceEnd => {
                levels.pop();
                finish_value(&mut levels);
            }
            Event::Scalar(value, ..) => {
                let inside_list = levels.iter().any(|level| matches!(level, Level::Sequence));
                match levels.last_mut() {
                    None => return Err("the top level is not a mapping".to_owned()),
                    Some(Level::Mapping(key @ None)) => *key = Some(value.into_owned()),
                    Some(_) if inside_list => finish_value(&mut levels),
                    Some(_) => {
                        found.push((path(&levels), value.into_owned()));
                        finish_value(&mut levels);
                    }
                }
            }
            Event::Alias(..) => finish_value(&mut levels),
            _ => {}
        }
    }
    Ok(found)
}

enum Level {
    /// A mapping, with the key whose value comes next.
    Mapping(Option<String>),
    Sequence,
}

fn finish_value(levels: &mut [Level]) {
    if let Some(Level::Mapping(key)) = levels.last_mut() {
        *key = None;
    }
}

fn path(levels: &[Level]) -> String {
    let keys: Vec<_> = levels
        .iter()
        .filter_map(|level| match level {
            Level::Mapping(key) => key.as_deref(),
            Level::Sequence => None,
        })
        .collect();
    keys.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_scalars_get_dotted_paths() {
        let text = "max_batch_size: 64\nkv_cache_config:\n  free_gpu_memory_fraction: 0.8\n  sizes: [1, 2]\n  \
                    enable_block_reuse: false\ncuda_graph_config: null\n";
        let pairs = scalars(text).unwrap();
        let pairs: Vec<_> = pairs.iter().map(|(path, value)| (path.as_str(), value.as_str())).collect();
        assert_eq!(
            pairs,
            [
                ("max_batch_size", "64"),
                ("kv_cache_config.free_gpu_memory_fraction", "0.8"),
                ("kv_cache_config.enable_block_reuse", "false"),
                ("cuda_graph_config", "null"),
            ]
        );
        assert!(scalars("a: [").is_err());
        assert!(scalars("just text").is_err());
    }
}
