//! What is known of a server that is to be deployed.

use podium_domain::framework::Framework;
use podium_domain::options_file::{OptionsFile, ROW_KEY};
use podium_domain::row::ResultRow;
use serde_json::Value;

/// Parts of a variable's name that tell that its value is a secret.
const SECRET_NAMES: [&str; 5] = ["TOKEN", "SECRET", "PASSWORD", "API_KEY", "CREDENTIAL"];

/// A server that is to be deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    framework: String,
    argv: Vec<String>,
    env: Vec<(String, String)>,
    secrets: Vec<String>,
    model: Option<String>,
    gpu_count: Option<u64>,
    gpu_ids: Vec<String>,
    image: Option<Image>,
    options_file: Option<OptionsFile>,
}

/// A container image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Image {
    /// Its reference.
    pub(super) reference: String,
    /// Whether it follows from the version alone, and is not the one that ran.
    pub(super) guessed: bool,
}

impl Deployment {
    /// The deployment of a row's server command; `None` where the row has none that could be run.
    #[must_use]
    pub fn of(row: &ResultRow) -> Option<Self> {
        let words = shlex::split(row.launch_command()?)?;
        let mut deployment = Deployment::from_words(&row.framework, words)?;
        deployment.model = row.model.clone().filter(|model| !model.contains('\0'));
        deployment.gpu_count = row.hardware.gpu_count;
        deployment.gpu_ids = row.hardware.visible_devices.as_ref().map(gpu_ids).unwrap_or_default();
        deployment.image = image(row);
        deployment.options_file = options_file(row);
        let is_local = deployment.local_model().is_some() || row.framework == Framework::LlamaCpp.id();
        if !is_local && !deployment.secrets.iter().any(|name| name == "HF_TOKEN") {
            deployment.secrets.push("HF_TOKEN".to_owned());
        }
        Some(deployment)
    }

    /// The deployment of a command in words. Assignments before the program become its environment, those of secrets
    /// lose their value. `None` where there is no program, or where a word cannot be an argument at all.
    #[must_use]
    pub fn from_words(framework: &str, mut words: Vec<String>) -> Option<Self> {
        let assignments = words.iter().take_while(|word| assignment(word).is_some()).count();
        let argv = words.split_off(assignments);
        let program = argv.first()?;
        if program.is_empty() || program.starts_with('-') || program.contains('=') {
            return None;
        }
        if argv.iter().chain(&words).any(|word| word.contains('\0')) {
            return None;
        }
        let (mut env, mut secrets) = (Vec::new(), Vec::new());
        for (name, value) in words.iter().filter_map(|word| assignment(word)) {
            let upper = name.to_uppercase();
            if SECRET_NAMES.iter().any(|part| upper.contains(part)) {
                secrets.push(name.to_owned());
            } else {
                env.push((name.to_owned(), value.to_owned()));
            }
        }
        let framework = framework.to_owned();
        Some(Deployment {
            framework,
            argv,
            env,
            secrets,
            model: None,
            gpu_count: None,
            gpu_ids: Vec::new(),
            image: None,
            options_file: None,
        })
    }

    /// The program and its arguments.
    #[must_use]
    pub fn argv(&self) -> &[String] {
        &self.argv
    }

    /// The names of the secrets that the server takes from its environment.
    #[must_use]
    pub fn secrets(&self) -> &[String] {
        &self.secrets
    }

    /// Variables that are no secrets, with their values.
    pub(super) fn env(&self) -> &[(String, String)] {
        &self.env
    }

    /// A name that is good everywhere: letters, digits and hyphens.
    pub(super) fn name(&self) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        let id: String = self.framework.chars().take(40).map(plain).collect();
        format!("podium-{id}").trim_end_matches('-').to_owned()
    }

    /// The framework's name for people.
    pub(super) fn title(&self) -> &str {
        podium_domain::row::framework_name(&self.framework)
    }

    /// The framework, where it is one of ours.
    pub(super) fn framework(&self) -> Option<Framework> {
        self.framework.parse().ok()
    }

    /// GPUs of the server; `None` where it is not known.
    pub(super) fn gpu_count(&self) -> Option<u64> {
        self.gpu_count
    }

    /// The ids of the GPUs that it was measured on.
    pub(super) fn gpu_ids(&self) -> &[String] {
        &self.gpu_ids
    }

    /// The container image, where it is known.
    pub(super) fn image(&self) -> Option<&Image> {
        self.image.as_ref()
    }

    /// The file that the command names, where the plan's options made one.
    pub(super) fn options_file(&self) -> Option<&OptionsFile> {
        self.options_file.as_ref()
    }

    /// The model's path, where it is a path of the machine.
    pub(super) fn local_model(&self) -> Option<&str> {
        let flags = ["--model", "--model-path", "-m"];
        let by_flag = self.argv.windows(2).find(|pair| flags.contains(&pair[0].as_str())).map(|pair| pair[1].as_str());
        [by_flag, self.model.as_deref()].into_iter().flatten().find(|model| model.starts_with('/'))
    }

    /// The port that the server listens on: its flag's, else the framework's own.
    pub(super) fn port(&self) -> u16 {
        let stated = self.flag("--port").and_then(|(_, value)| value.parse().ok());
        stated.unwrap_or(match self.framework() {
            Some(Framework::Sglang) => 30000,
            Some(Framework::LlamaCpp) => 8080,
            _ => 8000,
        })
    }

    /// The words for a network of the server's own: an address of the machine alone becomes every address.
    pub(super) fn argv_for_pod(&self) -> Vec<String> {
        let mut argv = self.argv.clone();
        match self.flag("--host").map(|(index, value)| (index, value.to_owned())) {
            Some((index, host)) if ["127.0.0.1", "localhost", "::1"].contains(&host.as_str()) => {
                argv[index] = argv[index].replace(&host, "0.0.0.0");
            }
            Some(_) => {}
            None => argv.extend(["--host".to_owned(), "0.0.0.0".to_owned()]),
        }
        argv
    }

    /// The value of a flag and the word that holds it.
    fn flag(&self, flag: &str) -> Option<(usize, &str)> {
        self.argv.iter().enumerate().find_map(|(index, word)| {
            if word == flag {
                return Some((index + 1, self.argv.get(index + 1)?.as_str()));
            }
            Some((index, word.strip_prefix(flag)?.strip_prefix('=')?))
        })
    }
}

/// The name and the value of `NAME=value`.
fn assignment(word: &str) -> Option<(&str, &str)> {
    let (name, value) = word.split_once('=')?;
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    (starts && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')).then_some((name, value))
}

/// A list of ids, or the text of the variable. Anything that is no plain id is left out.
fn gpu_ids(value: &Value) -> Vec<String> {
    let words: Vec<String> = match value {
        Value::Array(items) => items.iter().map(podium_domain::flags::word).collect(),
        other => podium_domain::flags::word(other).split(',').map(|id| id.trim().to_owned()).collect(),
    };
    let is_id = |id: &String| !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if words.iter().all(is_id) { words } else { Vec::new() }
}

/// The image that the row names, else the makers' own for the version that was measured.
fn image(row: &ResultRow) -> Option<Image> {
    let named = [row.podium.as_ref().and_then(|podium| podium.extra.get("image")), row.extra.get("image")];
    if let Some(image) = named.into_iter().flatten().find_map(Value::as_str).filter(|image| is_reference(image)) {
        return Some(Image { reference: image.to_owned(), guessed: false });
    }
    let repository = match row.framework.parse() {
        Ok(Framework::Vllm) => "vllm/vllm-openai",
        Ok(Framework::Sglang) => "lmsysorg/sglang",
        _ => return None,
    };
    let version = row.framework_version.as_deref()?.trim_start_matches('v');
    let is_release = version.starts_with(|c: char| c.is_ascii_digit())
        && version.chars().all(|c| c.is_ascii_alphanumeric() || c == '.');
    is_release.then(|| Image { reference: format!("{repository}:v{version}"), guessed: true })
}

/// The file of options that Podium made for the command. It counts only where the command really names it.
fn options_file(row: &ResultRow) -> Option<OptionsFile> {
    let stored = row.podium.as_ref()?.extra.get(ROW_KEY)?.clone();
    let file: OptionsFile = serde_json::from_value(stored).ok()?;
    row.launch_command()?.contains(&file.name).then_some(file)
}

fn is_reference(image: &str) -> bool {
    image.starts_with(|c: char| c.is_ascii_alphanumeric())
        && image.chars().all(|c| c.is_ascii_alphanumeric() || "._-/:@".contains(c))
}
