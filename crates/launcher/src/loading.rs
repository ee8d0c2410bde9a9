//! How far an engine is with loading, read from its log where it prints that.
//!
//! A table of patterns, each with a real line and where it was seen. Engines that print no such lines say nothing; an
//! engine that is slow and silent looks like one that hangs, and only the start-up deadline tells them apart.

use std::fmt;
use std::sync::LazyLock;

use regex::Regex;

use crate::recognise::Example;

/// One kind of line.
#[derive(Debug)]
struct Step {
    /// What is going on, in words.
    what: &'static str,
    /// Matches such a line; its group is the part that is done, in percent.
    pattern: &'static str,
    /// Real lines.
    #[cfg_attr(not(test), expect(dead_code, reason = "the proof of the pattern, which tests read"))]
    examples: &'static [Example],
}

static STEPS: &[Step] = &[
    Step {
        what: "loading weights",
        pattern: r"(?:Loading (?:safetensors|pt) checkpoint shards|Multi-thread loading shards):\s+(\d{1,3})% Completed",
        examples: &[
            Example {
                source: "vLLM 0.32 start-up log",
                line: "Loading safetensors checkpoint shards: 100% Completed | 1/1 [00:00<00:00, 138.27it/s]",
            },
            Example {
                source: "SGLang 0.5.23 start-up log",
                line: "Multi-thread loading shards:   0% Completed | 0/1 [00:00<?, ?it/s]",
            },
        ],
    },
    Step {
        what: "capturing CUDA graphs",
        pattern: r"Capturing (?:CUDA graphs? |batches )[^:]*:\s+(\d{1,3})%",
        examples: &[
            Example {
                source: "vLLM, its public tracker, report 27521",
                line: "Capturing CUDA graphs (mixed prefill-decode, PIECEWISE):  78%|███████▊  | 52/67 [00:46<00:09,  1.53it/s]",
            },
            Example {
                source: "vLLM of December 2024, its public tracker, report 11349",
                line: "Capturing CUDA graph shapes: 100%|██████████| 35/35 [00:13<00:00,  2.51it/s]",
            },
            Example {
                source: "SGLang, its public tracker, report 11716",
                line: "Capturing batches (bs=216 avail_mem=10.30 GB):  40%|████      | 21/52 [00:03<00:04,  7.40it/s]",
            },
        ],
    },
];

/// How far an engine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadingProgress {
    /// What is going on, in words.
    pub what: &'static str,
    /// The part of it that is done, 0 to 100.
    pub percent: u8,
}

impl fmt::Display for LoadingProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} %", self.what, self.percent)
    }
}

/// The patterns; empty only if one were malformed, which a test excludes.
static PATTERNS: LazyLock<Vec<(&'static str, Regex)>> =
    LazyLock::new(|| STEPS.iter().filter_map(|step| Some((step.what, Regex::new(step.pattern).ok()?))).collect());

/// The newest progress that these lines of a log tell.
pub fn loading_progress(lines: &[String]) -> Option<LoadingProgress> {
    lines.iter().rev().find_map(|line| {
        // A bar is written again and again into one line; the last one counts.
        let found = PATTERNS.iter().filter_map(|(what, pattern)| {
            let last = pattern.captures_iter(line).last()?;
            Some((last.get(0)?.start(), *what, last.get(1)?.as_str().parse().ok()?))
        });
        let (_, what, percent) = found.max_by_key(|(start, ..)| *start)?;
        Some(LoadingProgress { what, percent })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Option<String> {
        let lines: Vec<_> = text.lines().map(str::to_owned).collect();
        loading_progress(&lines).map(|progress| progress.to_string())
    }

    #[test]
    fn every_example_is_told_by_its_own_step() {
        assert_eq!(PATTERNS.len(), STEPS.len());
        for step in STEPS {
            for example in step.examples {
                let found = loading_progress(&[example.line.to_owned()]).unwrap_or_else(|| panic!("{}", example.line));
                assert_eq!(found.what, step.what, "{}", example.source);
            }
        }
    }

    #[test]
    fn the_newest_of_a_line_and_of_a_log_counts() {
        let bar =
            "Multi-thread loading shards:   0% Completed | 0/2\rMulti-thread loading shards:  50% Completed | 1/2";
        assert_eq!(told(bar).as_deref(), Some("loading weights, 50 %"));
        let log = format!("{bar}\nINFO other\nCapturing batches (bs=8 avail_mem=1.0 GB):  12%|█\nINFO more");
        assert_eq!(told(&log).as_deref(), Some("capturing CUDA graphs, 12 %"));
    }

    #[test]
    fn other_lines_tell_nothing() {
        for line in ["INFO Loading weights took 0.01 seconds", "GPU KV cache usage: 10.0%", "Capturing CUDA graphs"] {
            assert_eq!(told(line), None, "{line}");
        }
    }

    #[test]
    fn logs_of_real_engines_are_read() {
        let shared = std::env::var_os("PODIUM_SHARED_DIR").map_or_else(
            || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
            std::path::PathBuf::from,
        );
        for engine in ["vllm", "sglang"] {
            let Ok(log) = std::fs::read_to_string(shared.join(format!("engines/samples/{engine}/serve.log"))) else {
                return;
            };
            assert_eq!(told(&log).as_deref(), Some("loading weights, 100 %"), "{engine}");
        }
    }
}
