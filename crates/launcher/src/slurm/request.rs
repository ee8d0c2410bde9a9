//! What `sbatch` is asked for: settings as types, and the words that they become.

use std::fmt;
use std::num::NonZeroU32;

use super::config::SlurmConfig;

/// The resources that a job holds for a run: one node of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct JobRequest {
    partition: Option<Word>,
    account: Option<Word>,
    qos: Option<Word>,
    time_limit: Option<TimeLimit>,
    gres: Vec<Gres>,
    constraint: Option<Word>,
    options: Vec<SbatchOption>,
}

impl JobRequest {
    /// # Errors
    /// Every setting that cannot be read, with what to do.
    pub(super) fn parse(config: &SlurmConfig) -> Result<Self, Vec<(&'static str, String)>> {
        let mut problems = Vec::new();
        let mut word = |setting: &'static str, text: &str, alphabet: Alphabet| {
            read(text, |text| Word::parse(text, alphabet)).unwrap_or_else(|problem| {
                problems.push((setting, problem));
                None
            })
        };
        let partition = word("partition", &config.partition, Alphabet::Names);
        let account = word("account", &config.account, Alphabet::Names);
        let qos = word("qos", &config.qos, Alphabet::Names);
        let constraint = word("constraint", &config.constraint, Alphabet::Expression);
        let time_limit = read(&config.time_limit, TimeLimit::parse).unwrap_or_else(|problem| {
            problems.push(("time_limit", problem));
            None
        });
        let gres = read(&config.gres, Gres::parse_list).unwrap_or_else(|problem| {
            problems.push(("gres", problem));
            None
        });
        let mut options = Vec::new();
        for text in config.options.iter().filter(|text| !text.trim().is_empty()) {
            match SbatchOption::parse(text.trim()) {
                Ok(option) => options.push(option),
                Err(problem) => problems.push(("options", problem)),
            }
        }
        let gres = gres.unwrap_or_default();
        if problems.is_empty() {
            Ok(Self { partition, account, qos, time_limit, gres, constraint, options })
        } else {
            Err(problems)
        }
    }

    /// The words after `sbatch` for a job of this name. Every value is in one word with its option.
    pub(super) fn words(&self, job_name: &str) -> Vec<String> {
        let mut words = vec![
            "--parsable".to_owned(),
            format!("--job-name={job_name}"),
            "--nodes=1".to_owned(),
            "--output=/dev/null".to_owned(),
            // Nothing of this side's environment is stored by the cluster.
            "--export=LANG".to_owned(),
            "--requeue".to_owned(),
        ];
        let mut push = |name: &str, value: Option<String>| words.extend(value.map(|value| format!("--{name}={value}")));
        push("partition", self.partition.as_ref().map(ToString::to_string));
        push("account", self.account.as_ref().map(ToString::to_string));
        push("qos", self.qos.as_ref().map(ToString::to_string));
        push("time", self.time_limit.map(|limit| limit.to_string()));
        let gres: Vec<_> = self.gres.iter().map(ToString::to_string).collect();
        push("gres", (!gres.is_empty()).then(|| gres.join(",")));
        push("constraint", self.constraint.as_ref().map(ToString::to_string));
        words.extend(self.options.iter().map(ToString::to_string));
        words
    }
}

/// An empty setting is none.
fn read<T>(text: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Result<Option<T>, String> {
    match text.trim() {
        "" => Ok(None),
        text => parse(text).map(Some),
    }
}

/// What a word may be made of.
#[derive(Debug, Clone, Copy)]
enum Alphabet {
    /// Names, by commas.
    Names,
    /// Names, brackets and operators, as lists of nodes and constraints are written.
    Expression,
}

/// A value without spaces, quotes or control characters, which does not begin like an option.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Word(String);

impl Word {
    fn parse(text: &str, alphabet: Alphabet) -> Result<Self, String> {
        let more = match alphabet {
            Alphabet::Names => "._-,@+",
            Alphabet::Expression => "._-,@+:=*&|!()[]/%",
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || more.contains(c);
        if text.starts_with('-') || !text.chars().all(plain) {
            return Err(format!("`{text}` is not taken: write letters, digits and {more} without spaces"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How long a job may run, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct TimeLimit(u64);

impl TimeLimit {
    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no time limit: write minutes, HH:MM:SS or DAYS-HH:MM:SS, such as 4:00:00");
        let (days, rest) = text.split_once('-').map_or((None, text), |(days, rest)| (Some(days), rest));
        let number = |text: &str| {
            let digits = !text.is_empty() && text.len() <= 6 && text.chars().all(|c| c.is_ascii_digit());
            digits.then(|| text.parse::<u64>().ok()).flatten().ok_or_else(wrong)
        };
        let parts: Vec<u64> = rest.split(':').map(number).collect::<Result<_, _>>()?;
        // As Slurm reads them: what one and two numbers mean depends on the days.
        let (hours, minutes, seconds) = match (days.is_some(), &parts[..]) {
            (false, &[minutes]) => (0, minutes, 0),
            (false, &[minutes, seconds]) => (0, minutes, seconds),
            (true, &[hours]) => (hours, 0, 0),
            (true, &[hours, minutes]) => (hours, minutes, 0),
            (_, &[hours, minutes, seconds]) => (hours, minutes, seconds),
            _ => return Err(wrong()),
        };
        let days = days.map(number).transpose()?.unwrap_or_default();
        match days * 86_400 + hours * 3_600 + minutes * 60 + seconds {
            0 => Err(wrong()),
            limit => Ok(Self(limit)),
        }
    }
}

impl fmt::Display for TimeLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(s) = self;
        write!(f, "{}-{:02}:{:02}:{:02}", s / 86_400, s / 3_600 % 24, s / 60 % 60, s % 60)
    }
}

/// A generic resource: `gpu:h100:8`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Gres {
    name: String,
    kind: Option<String>,
    count: NonZeroU32,
}

impl Gres {
    /// A number of GPUs, or resources by commas.
    fn parse_list(text: &str) -> Result<Vec<Self>, String> {
        if let Ok(count) = text.parse() {
            return Ok(vec![Self { name: "gpu".to_owned(), kind: None, count }]);
        }
        text.split(',').map(Self::parse).collect()
    }

    fn parse(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` are no GPUs of a node: write a number, or NAME:TYPE:NUMBER such as gpu:h100:8");
        let name = |text: &str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            let good = text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(plain);
            good.then(|| text.to_owned()).ok_or_else(wrong)
        };
        let parts: Vec<&str> = text.split(':').collect();
        let (resource, kind, count) = match parts[..] {
            [resource, count] => (resource, None, count),
            [resource, kind, count] => (resource, Some(kind), count),
            _ => return Err(wrong()),
        };
        let count = count.parse().map_err(|_| wrong())?;
        Ok(Self { name: name(resource)?, kind: kind.map(name).transpose()?, count })
    }
}

impl fmt::Display for Gres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Some(kind) => write!(f, "{}:{kind}:{}", self.name, self.count),
            None => write!(f, "{}:{}", self.name, self.count),
        }
    }
}

/// What an option of `sbatch` takes.
#[derive(Debug, Clone, Copy)]
enum Takes {
    Nothing,
    Number,
    /// A number with a unit: `64G`.
    Amount,
    Names,
    Expression,
}

/// The options that may be added: what they say is which resources a job gets. Not among them is what Podium sets itself,
/// and what names files, commands or other jobs.
const OPTIONS: [(&str, Takes); 23] = [
    ("cores-per-socket", Takes::Number),
    ("cpus-per-gpu", Takes::Number),
    ("cpus-per-task", Takes::Number),
    ("exclude", Takes::Expression),
    ("exclusive", Takes::Nothing),
    ("gpu-freq", Takes::Expression),
    ("hint", Takes::Names),
    ("licenses", Takes::Expression),
    ("mem", Takes::Amount),
    ("mem-per-cpu", Takes::Amount),
    ("mem-per-gpu", Takes::Amount),
    ("mincpus", Takes::Number),
    ("network", Takes::Expression),
    ("nice", Takes::Number),
    ("nodelist", Takes::Expression),
    ("oversubscribe", Takes::Nothing),
    ("prefer", Takes::Expression),
    ("reservation", Takes::Names),
    ("sockets-per-node", Takes::Number),
    ("switches", Takes::Expression),
    ("threads-per-core", Takes::Number),
    ("tmp", Takes::Amount),
    ("wckey", Takes::Names),
];

/// One more option of `sbatch`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct SbatchOption {
    name: &'static str,
    value: Option<String>,
}

impl SbatchOption {
    fn parse(text: &str) -> Result<Self, String> {
        let bare = text.strip_prefix("--").unwrap_or(text);
        let (name, value) = bare.split_once('=').map_or((bare, None), |(name, value)| (name, Some(value)));
        let Some(&(name, takes)) = OPTIONS.iter().find(|(known, _)| *known == name) else {
            let known: Vec<_> = OPTIONS.iter().map(|(known, _)| *known).collect();
            return Err(format!(
                "`{text}` is no option of sbatch that can be set here; there are {}",
                known.join(", ")
            ));
        };
        let digits = |text: &str| !text.is_empty() && text.len() <= 9 && text.chars().all(|c| c.is_ascii_digit());
        let value = match (takes, value) {
            (Takes::Nothing, None) => None,
            (Takes::Number, Some(value)) if digits(value) => Some(value.to_owned()),
            (Takes::Amount, Some(value)) if digits(value.strip_suffix(['K', 'M', 'G', 'T']).unwrap_or(value)) => {
                Some(value.to_owned())
            }
            (Takes::Names, Some(value)) => Some(Word::parse(value, Alphabet::Names)?.0),
            (Takes::Expression, Some(value)) => Some(Word::parse(value, Alphabet::Expression)?.0),
            (takes, _) => {
                let example = match takes {
                    Takes::Nothing => format!("--{name}"),
                    Takes::Number => format!("--{name}=8"),
                    Takes::Amount => format!("--{name}=64G"),
                    Takes::Names | Takes::Expression => format!("--{name}=VALUE"),
                };
                return Err(format!("`{text}` cannot be read: write it like {example}"));
            }
        };
        Ok(Self { name, value })
    }
}

impl fmt::Display for SbatchOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "--{}={value}", self.name),
            None => write!(f, "--{}", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> SlurmConfig {
        SlurmConfig {
            partition: "gpu,big".into(),
            account: "lab".into(),
            qos: "high".into(),
            time_limit: "4:00:00".into(),
            gres: "gpu:h100:8".into(),
            constraint: "nvlink&(a|b)".into(),
            options: vec!["--mem=64G".into(), "exclusive".into(), "nodelist=n[1-4],m2".into(), " ".into()],
            ..SlurmConfig::default()
        }
    }

    #[test]
    fn settings_become_one_word_each() {
        let words = JobRequest::parse(&config()).unwrap().words("podium-x-0");
        let own: Vec<_> = words.iter().skip_while(|word| *word != "--requeue").skip(1).collect();
        assert_eq!(
            own,
            [
                "--partition=gpu,big",
                "--account=lab",
                "--qos=high",
                "--time=0-04:00:00",
                "--gres=gpu:h100:8",
                "--constraint=nvlink&(a|b)",
                "--mem=64G",
                "--exclusive",
                "--nodelist=n[1-4],m2",
            ]
        );
        let plain = JobRequest::parse(&SlurmConfig { gres: "2".into(), ..SlurmConfig::default() }).unwrap();
        assert_eq!(plain.words("x").last().unwrap(), "--gres=gpu:2");
    }

    #[test]
    fn time_limits_are_read_as_slurm_reads_them() {
        let read = |text: &str| TimeLimit::parse(text).map(|limit| limit.to_string());
        for (text, limit) in [
            ("90", "0-01:30:00"),
            ("5:30", "0-00:05:30"),
            ("1:00:00", "0-01:00:00"),
            ("2-12", "2-12:00:00"),
            ("1-0:30", "1-00:30:00"),
            ("1-2:3:4", "1-02:03:04"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(limit), "{text}");
        }
        for text in ["0", "-1", "1-", "a", "1:2:3:4", "1 2", "9999999", "1:-2", "UNLIMITED"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn hostile_texts_become_neither_options_nor_words_of_their_own() {
        let hostile = [
            "--wrap=id",
            "-p x",
            "a b",
            "a;id",
            "$(id)",
            "`id`",
            "a\nb",
            "a'b",
            "a\"b",
            "a\\b",
            "a\0b",
            "é",
            "a>b",
            "--",
            "-",
        ];
        type Set = fn(&mut SlurmConfig, String);
        let settings: [(&str, Set); 7] = [
            ("partition", |config, text| config.partition = text),
            ("account", |config, text| config.account = text),
            ("qos", |config, text| config.qos = text),
            ("time_limit", |config, text| config.time_limit = text),
            ("gres", |config, text| config.gres = text),
            ("constraint", |config, text| config.constraint = text),
            ("options", |config, text| config.options = vec![text]),
        ];
        for text in hostile {
            for (setting, set) in settings {
                let mut config = config();
                set(&mut config, text.to_owned());
                let problems = JobRequest::parse(&config).unwrap_err();
                assert_eq!(problems.iter().map(|(name, _)| *name).collect::<Vec<_>>(), [setting], "{text}");
            }
            let mut inside = config();
            inside.options = vec![format!("--nodelist={text}")];
            assert!(JobRequest::parse(&inside).is_err(), "{text}");
        }
        for option in
            ["wrap=id", "output=/x", "chdir=/x", "export=ALL", "array=1-3", "uid=0", "mem", "mem=x", "exclusive=1"]
        {
            assert!(SbatchOption::parse(option).is_err(), "{option}");
        }
    }
}
