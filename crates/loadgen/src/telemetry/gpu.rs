//! GPUs, as `nvidia-smi` reads them.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use podium_domain::telemetry::{GpuTelemetry, Level};

const QUERY: [&str; 2] = ["--query-gpu=power.draw,memory.used,utilization.gpu", "--format=csv,noheader,nounits"];
/// A query that takes longer is given up.
const TIMEOUT: Duration = Duration::from_secs(3);
/// How often its end is looked for.
const POLL: Duration = Duration::from_millis(10);
const BYTES_PER_MIB: f64 = 1024.0 * 1024.0;

/// All GPUs at one moment; a sum or mean over them is there only where each of them said its part.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct GpuReading {
    pub count: u32,
    pub power_w: Option<f64>,
    pub memory_used_gb: Option<f64>,
    pub utilization: Option<f64>,
}

/// Asks for readings until it turns out that there is nothing to ask.
#[derive(Debug)]
pub(crate) struct Gpus {
    program: Option<PathBuf>,
    readings: Vec<(Instant, GpuReading)>,
}

impl Gpus {
    /// Reads by `program`; nothing without one.
    pub fn new(program: Option<&Path>) -> Self {
        Gpus { program: program.map(Path::to_owned), readings: Vec::new() }
    }

    /// The GPUs now. Where the program is missing or fails, it is not asked again.
    pub fn read(&mut self) -> Option<GpuReading> {
        let now = Instant::now();
        let reading = query(self.program.as_deref()?).ok().and_then(|text| parse(&text));
        match &reading {
            Some(reading) => self.readings.push((now, reading.clone())),
            None => self.program = None,
        }
        reading
    }

    /// What the readings say together; `None` without any.
    pub fn summary(&self, output_tokens: Option<u64>) -> Option<GpuTelemetry> {
        let (_, last) = self.readings.last()?;
        let level = |get: fn(&GpuReading) -> Option<f64>| {
            Level::of(self.readings.iter().filter_map(|(_, reading)| get(reading)))
        };
        let energy_j = energy_j(&self.readings);
        Some(GpuTelemetry {
            count: last.count,
            power_w: level(|reading| reading.power_w),
            memory_used_gb: level(|reading| reading.memory_used_gb),
            utilization: level(|reading| reading.utilization),
            energy_j,
            tokens_per_joule: output_tokens.zip(energy_j).map(|(tokens, joules)| tokens as f64 / joules),
        })
    }
}

/// The power between two readings is taken as their mean.
fn energy_j(readings: &[(Instant, GpuReading)]) -> Option<f64> {
    let mut joules = 0.0;
    for pair in readings.windows(2) {
        let [(from, before), (to, after)] = pair else { continue };
        joules += (before.power_w? + after.power_w?) / 2.0 * to.saturating_duration_since(*from).as_secs_f64();
    }
    (joules > 0.0).then_some(joules)
}

fn query(program: &Path) -> io::Result<String> {
    let child =
        Command::new(program).args(QUERY).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    Running(child).output()
}

/// A program that is ended and waited for, whatever happens.
struct Running(Child);

impl Running {
    /// What it wrote, where it succeeded in time. It writes a few lines, which its pipe holds.
    fn output(mut self) -> io::Result<String> {
        let deadline = Instant::now() + TIMEOUT;
        let status = loop {
            if let Some(status) = self.0.try_wait()? {
                break status;
            }
            if Instant::now() >= deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
            std::thread::sleep(POLL);
        };
        let mut text = String::new();
        if let Some(stdout) = &mut self.0.stdout {
            stdout.read_to_string(&mut text)?;
        }
        if status.success() { Ok(text) } else { Err(io::Error::other(status.to_string())) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both are refused only where it has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The lines of the answer, one for each GPU; `None` where one cannot be read or there is none.
fn parse(text: &str) -> Option<GpuReading> {
    // `[N/A]` and `[Not Supported]` are answers too.
    let number = |word: &str| word.trim().parse::<f64>().ok().filter(|number| number.is_finite());
    let mut rows = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let [power, memory, utilization] = line.split(',').collect::<Vec<_>>().try_into().ok()?;
        rows.push([number(power), number(memory), number(utilization)]);
    }
    let total = |column: usize| rows.iter().map(|row| row[column]).sum::<Option<f64>>();
    (!rows.is_empty()).then(|| GpuReading {
        count: rows.len() as u32,
        power_w: total(0),
        memory_used_gb: total(1).map(|mib| mib * BYTES_PER_MIB / 1e9),
        utilization: total(2).map(|percent| percent / 100.0 / rows.len() as f64),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpus_are_added_up_where_each_of_them_answers() {
        let reading = parse("300.5, 1000, 50\n299.5, 3000, 100\n").unwrap();
        assert_eq!((reading.count, reading.power_w, reading.utilization), (2, Some(600.0), Some(0.75)));
        assert!((reading.memory_used_gb.unwrap() - 4.194_304).abs() < 1e-9);
        let partly = parse("[N/A], 1000, 50\n299.5, 3000, [Not Supported]\n").unwrap();
        assert_eq!((partly.power_w, partly.utilization), (None, None));
        assert_eq!(parse("No devices were found\n"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn energy_follows_from_power_and_time() {
        let start = Instant::now();
        let at = |s, power_w| (start + Duration::from_secs(s), GpuReading { power_w, ..GpuReading::default() });
        assert_eq!(energy_j(&[at(0, Some(100.0)), at(2, Some(300.0)), at(3, Some(300.0))]), Some(700.0));
        assert_eq!(energy_j(&[at(0, Some(100.0)), at(2, None)]), None);
        assert_eq!(energy_j(&[at(0, Some(100.0))]), None);
    }

    #[test]
    fn a_program_that_is_missing_or_fails_is_asked_once() {
        for program in ["/nonexistent/nvidia-smi", "/bin/false"] {
            let mut gpus = Gpus::new(Some(Path::new(program)));
            assert_eq!(gpus.read(), None);
            assert_eq!(gpus.program, None);
            assert_eq!(gpus.summary(Some(1)), None);
        }
    }
}
