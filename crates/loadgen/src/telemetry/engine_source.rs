//! Where an engine's metrics are, and whose names they have.

use std::path::Path;

use super::TelemetrySpec;
use super::fetch::Source;
use super::names::{Names, PATHS, names, recognise};
use super::prometheus::parse;
use super::reading::Reading;

/// An engine that is asked for its metrics.
#[derive(Debug)]
pub(super) struct EngineSource {
    source: Source,
    /// Whether the address holds the path already.
    whole_address: bool,
    /// Whose names the metrics have, and at which path; `None` until the engine was recognised.
    found: Option<(&'static str, &'static Names)>,
}

impl EngineSource {
    /// # Errors
    /// When the server cannot be reached in this way; the text says why.
    pub fn new(spec: &TelemetrySpec, base_url: &str, ca_file: Option<&Path>) -> Result<Self, String> {
        let source = Source::new(spec.url.as_deref().unwrap_or(base_url), ca_file)?;
        let found = spec.framework.map(|framework| (names(framework).path, names(framework)));
        Ok(EngineSource { whole_address: spec.url.is_some() && source.has_prefix(), source, found })
    }

    /// Reads the metrics once.
    ///
    /// # Errors
    /// When they cannot be had, or are of no known engine; the text says which.
    pub fn read(&mut self) -> Result<Reading, String> {
        let mut problem = None;
        for path in self.paths() {
            let known = self.found.map(|(_, names)| names);
            let read = self.source.get(path).and_then(|text| parse(&text)).and_then(|samples| {
                let names = known.or_else(|| recognise(&samples));
                names.map(|names| (names, Reading::of(&samples, names))).ok_or_else(|| {
                    format!("{path} holds none of the names of vLLM, SGLang, TensorRT-LLM and llama.cpp")
                })
            });
            match read {
                Ok((names, reading)) => {
                    self.found = Some((path, names));
                    return Ok(reading);
                }
                // The first path is the common one: what went wrong there is worth telling.
                Err(why) => problem = problem.or(Some(why)),
            }
        }
        Err(problem.unwrap_or_default())
    }

    fn paths(&self) -> Vec<&'static str> {
        match (self.whole_address, self.found) {
            (true, _) => vec![""],
            (false, Some((path, _))) => vec![path],
            (false, None) => PATHS.to_vec(),
        }
    }
}
