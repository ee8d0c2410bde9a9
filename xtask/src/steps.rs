//! Progress: one line per step with its time, and the whole output of a step that fails.

use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::Result;

/// A sequence of steps with a known number.
#[derive(Debug)]
pub struct Steps {
    total: usize,
    started: usize,
    failed: Vec<String>,
    begin: Instant,
}

impl Steps {
    /// Starts a sequence.
    #[must_use]
    pub fn new(total: usize) -> Self {
        Self { total, started: 0, failed: Vec::new(), begin: Instant::now() }
    }

    /// Runs one step. A failure is printed with `advice`, a sentence on what to do, and noted; the sequence may go on.
    ///
    /// The step's own value is a remark to print beside its time, empty for none. Returns whether it succeeded.
    pub fn run(&mut self, name: &str, advice: &str, step: impl FnOnce() -> Result<String>) -> bool {
        let heading = self.heading(name);
        print!("{heading} … ");
        // Progress is for people to see as it happens; a closed pipe is not this step's failure.
        let _ = std::io::stdout().flush();
        self.carry_out(name, advice, "", step)
    }

    /// Like [`run`](Self::run), for a step that prints lines of its own: it is named before and after them.
    pub fn run_aloud(&mut self, name: &str, advice: &str, step: impl FnOnce() -> Result<String>) -> bool {
        let heading = self.heading(name);
        println!("{heading} …");
        self.carry_out(name, advice, &format!("{heading} … "), step)
    }

    fn heading(&mut self, name: &str) -> String {
        self.started += 1;
        format!("[{:>2}/{}] {name}", self.started, self.total)
    }

    fn carry_out(&mut self, name: &str, advice: &str, lead: &str, step: impl FnOnce() -> Result<String>) -> bool {
        let begin = Instant::now();
        let outcome = step();
        let elapsed = seconds(begin.elapsed());
        match outcome {
            Ok(remark) if remark.is_empty() => println!("{lead}{elapsed}"),
            Ok(remark) => println!("{lead}{elapsed} · {remark}"),
            Err(error) => {
                println!("{lead}FAILED after {elapsed}\n");
                println!("{}\n", indent(&format!("{error:#}")));
                println!("    What to do: {advice}\n");
                self.failed.push(name.to_owned());
                return false;
            }
        }
        true
    }

    /// Names of the steps that failed, in order.
    #[must_use]
    pub fn failed(&self) -> &[String] {
        &self.failed
    }

    /// Prints how it ended and says whether everything succeeded.
    #[must_use]
    pub fn finish(&self) -> bool {
        let elapsed = seconds(self.begin.elapsed());
        if self.failed.is_empty() {
            println!("{} steps in {elapsed}", self.started);
        } else {
            println!("{} of {} steps failed in {elapsed}: {}", self.failed.len(), self.started, self.failed.join(", "));
        }
        self.failed.is_empty()
    }
}

/// `1.2 s`, `2 min 05 s`.
#[must_use]
pub fn seconds(elapsed: Duration) -> String {
    let whole = elapsed.as_secs();
    match whole {
        0..60 => format!("{:.1} s", elapsed.as_secs_f64()),
        _ => format!("{} min {:02} s", whole / 60, whole % 60),
    }
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_are_told_from_a_minute_on() {
        assert_eq!(seconds(Duration::from_millis(1_240)), "1.2 s");
        assert_eq!(seconds(Duration::from_secs(125)), "2 min 05 s");
    }

    #[test]
    fn a_failed_step_fails_the_sequence_and_not_the_next_step() {
        let mut steps = Steps::new(2);
        assert!(!steps.run("one", "nothing", || anyhow::bail!("broken")));
        assert!(steps.run("two", "nothing", || Ok(String::new())));
        assert_eq!(steps.failed(), ["one"]);
        assert!(!steps.finish());
    }
}
