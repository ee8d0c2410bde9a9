use std::io::Write as _;
use std::process::{Command, Stdio};

use podium_domain::row::ResultRow;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::plan::parse_tree;

fn row(value: Value) -> ResultRow {
    let mut full = json!({"framework": "vllm", "candidate_id": "c", "model": "org/model", "framework_version": "0.19.0",
        "hardware": {"gpu_count": 2, "visible_devices": "6,7"},
        "server_command": "vllm serve org/model --host 127.0.0.1 --port 8123"});
    for (key, item) in value.as_object().unwrap() {
        full[key] = item.clone();
    }
    serde_json::from_value(full).unwrap()
}

fn texts(row: &ResultRow) -> Vec<(&'static str, String)> {
    Deployment::of(row).unwrap().forms().into_iter().map(|form| (form.title, form.text)).collect()
}

fn text(row: &ResultRow, title: &str) -> String {
    texts(row).into_iter().find(|(t, _)| *t == title).unwrap().1
}

#[test]
fn the_forms_are_stable() {
    let all: String = texts(&row(json!({}))).iter().map(|(title, text)| format!("=== {title}\n{text}")).collect();
    insta::assert_snapshot!(all);
}

#[test]
fn several_gpus_of_tensorrt_llm_get_locked_memory() {
    let trt = row(json!({"framework": "tensorrt_llm", "server_command": "trtllm-serve serve org/model"}));
    let docker = text(&trt, "docker run");
    for flag in ["--ulimit memlock=-1", "--ulimit stack=67108864", "--shm-size=16g", "-e 'NCCL_IB_DISABLE=1'"] {
        assert!(docker.contains(flag), "{docker}");
    }
    assert!(docker.contains("your-image:tag") && docker.contains("No image is known"), "{docker}");
}

#[test]
fn every_form_says_what_is_in_the_file_of_options() {
    let file = json!({"options_file": {"name": "podium-options-1.yaml", "text": "a:\n  b: 1\n"}});
    let command = "trtllm-serve serve m --extra_llm_api_options podium-options-1.yaml";
    let trt = row(json!({"framework": "tensorrt_llm", "server_command": command, "podium": file}));
    for (title, text) in texts(&trt) {
        let lines = ["podium-options-1.yaml, which has to stand", "#     a:\n#       b: 1\n"];
        assert!(lines.iter().all(|line| text.contains(line)), "{title}: {text}");
    }
    let other = row(json!({"framework": "tensorrt_llm", "server_command": "trtllm-serve serve m", "podium": file}));
    assert!(!text(&other, "Compose").contains("podium-options"), "its command names no such file");
}

#[test]
fn an_image_that_ran_is_taken_as_it_is() {
    let ran = row(json!({"podium": {"image": "registry.example/vllm@sha256:00ff"}}));
    let docker = text(&ran, "docker run");
    assert!(docker.contains("registry.example/vllm@sha256:00ff") && !docker.contains("check that"), "{docker}");
    let hostile = row(json!({"image": "x; rm -rf /", "framework_version": "0.19.0+cu1 $(id)"}));
    assert!(text(&hostile, "docker run").contains("your-image:tag"));
}

#[test]
fn a_server_on_the_cpu_asks_for_no_gpu_and_mounts_its_model() {
    let cpu = row(json!({"framework": "llama_cpp", "hardware": {"gpu_count": 0},
        "server_command": "llama-server --model '/srv/my models/a,b.gguf' --parallel 4"}));
    for (title, text) in texts(&cpu) {
        assert!(!text.contains("gpu") && !text.contains("HF_TOKEN"), "{title}: {text}");
    }
    assert!(text(&cpu, "docker run").contains("\"source=/srv/my models/a,b.gguf\""));
    assert!(text(&cpu, "Kubernetes").contains("containerPort: 8080"));
    assert!(text(&cpu, "Kubernetes").contains("- \"--host\"\n            - \"0.0.0.0\""));
}

#[test]
fn values_of_secrets_stand_nowhere() {
    let with_secret = row(json!({
        "server_command": "HF_TOKEN=hf_abcdefgh MY_API_KEY=sk-12345 VLLM_LOGGING_LEVEL='a b' vllm serve org/model"}));
    let deployment = Deployment::of(&with_secret).unwrap();
    assert_eq!(deployment.secrets(), ["HF_TOKEN", "MY_API_KEY"]);
    assert_eq!(deployment.argv(), ["vllm", "serve", "org/model"]);
    for (title, text) in texts(&with_secret) {
        assert!(!text.contains("hf_abc") && !text.contains("sk-1"), "{title}: {text}");
        assert!(text.contains("MY_API_KEY") && text.contains("VLLM_LOGGING_LEVEL"), "{title}: {text}");
    }
}

#[test]
fn what_cannot_be_run_has_no_forms() {
    for command in ["", "A=1", "-x", "a\u{0}b", "'open", "a-b=c"] {
        let none = row(json!({"server_command": command}));
        assert_eq!(Deployment::of(&none), None, "{command:?}");
    }
    let other = serde_json::from_value(json!({"framework": "f", "candidate_id": "c"})).unwrap();
    assert_eq!(Deployment::of(&other), None);
}

/// Words in which every form's own syntax occurs.
const HOSTILE: [&str; 22] = [
    "a b",
    "it's",
    "\"q\"",
    "$HOME",
    "${HOME}",
    "$(NAME)",
    "$$",
    "%h",
    "%%",
    "`id`",
    ":",
    ";",
    "",
    "#x",
    "\\",
    "\\n",
    "- a: b",
    "{\"k\": [1, \"two\"]}",
    "line\nbreak\t\r",
    "é✓",
    "&& rm",
    "\u{7f}\u{1}\u{85}\u{2028}",
];

fn hostile_words() -> impl Strategy<Value = Vec<String>> {
    let word = prop_oneof![
        prop::sample::select(HOSTILE.to_vec()).prop_map(str::to_owned),
        "[ -~]{0,12}",
        any::<String>().prop_map(|text| text.replace('\0', "")),
    ];
    prop::collection::vec(word, 0..8)
}

fn deployment(words: &[String]) -> Deployment {
    let argv = std::iter::once("serve".to_owned()).chain(words.iter().cloned()).collect();
    Deployment::from_words("vllm", argv).unwrap()
}

fn yaml(text: &str) -> Value {
    let tree = parse_tree(text).unwrap();
    assert!(tree.problems.is_empty(), "{:?}", tree.problems);
    tree.root.to_value()
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|item| item.as_str().unwrap().to_owned()).collect()
}

/// What Compose and Kubernetes make of doubled dollars; none may stand alone.
fn undollar(word: &str) -> String {
    assert!(!word.replace("$$", "").contains('$'), "{word}");
    word.replace("$$", "$")
}

/// The words of a systemd command line, by the rules of systemd.service(5): quotes, C escapes, specifiers, variables.
fn systemd_words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut chars = line.chars().peekable();
    while let Some(&c) = chars.peek() {
        if c == ' ' {
            chars.next();
            continue;
        }
        let quoted = c == '"';
        if quoted {
            chars.next();
        }
        let mut word = String::new();
        while let Some(c) = chars.next() {
            match c {
                '"' if quoted => break,
                '\\' => match chars.next().unwrap() {
                    'n' => word.push('\n'),
                    'r' => word.push('\r'),
                    't' => word.push('\t'),
                    'x' => {
                        let hex: String = [chars.next().unwrap(), chars.next().unwrap()].into_iter().collect();
                        word.push(char::from(u8::from_str_radix(&hex, 16).unwrap()));
                    }
                    other => word.push(other),
                },
                '%' => {
                    assert_eq!(chars.next(), Some('%'), "a specifier in {line}");
                    word.push('%');
                }
                '$' => {
                    assert_eq!(chars.next(), Some('$'), "a variable in {line}");
                    word.push('$');
                }
                c => word.push(c),
            }
            if !quoted && chars.peek() == Some(&' ') {
                break;
            }
        }
        words.push(word);
    }
    words
}

proptest! {
    /// Whatever the words are, each form reads back as the same words.
    #[test]
    fn every_form_reads_back_as_the_same_words(words in hostile_words()) {
        let deployment = deployment(&words);
        let argv = deployment.argv().to_vec();
        let forms = deployment.forms();
        let text = |title: &str| forms.iter().find(|form| form.title == title).unwrap().text.as_str();

        // The crate that splits takes a continued line for an empty word, so only the last line is split.
        let (_, arguments) = text("docker run").split_once("--entrypoint serve \\\n  your-image:tag").unwrap();
        let arguments = arguments.strip_prefix(" \\\n").unwrap_or(arguments);
        prop_assert_eq!(shlex::split(arguments).unwrap(), &argv[1..]);

        let slurm = shlex::split(text("Slurm")).unwrap();
        let at = slurm.iter().position(|word| word == "srun").unwrap();
        let job = &slurm[at + 3..];
        let job = match job.first().map(String::as_str) {
            Some("bash") => shlex::split(&job[2]).unwrap().split_off(1),
            _ => job.to_vec(),
        };
        prop_assert_eq!(&job, &argv);
        prop_assert!(!slurm[at..].iter().any(|word| word == ":"));

        let compose = yaml(text("Compose"));
        let service = &compose["services"]["podium-vllm"];
        let read: Vec<_> = [strings(&service["entrypoint"]), strings(&service["command"])].concat();
        prop_assert_eq!(read.iter().map(|word| undollar(word)).collect::<Vec<_>>(), argv.clone());

        let objects: Vec<_> = text("Kubernetes").split("---\n").collect();
        let (deployed, service) = (objects[..objects.len() - 1].join("---\n"), objects[objects.len() - 1]);
        let deployed = yaml(&deployed);
        let container = &deployed["spec"]["template"]["spec"]["containers"][0];
        let read: Vec<_> = [strings(&container["command"]), strings(&container["args"])].concat();
        prop_assert_eq!(read.iter().map(|word| undollar(word)).collect::<Vec<_>>(), deployment.argv_for_pod());
        prop_assert_eq!(&yaml(service)["kind"], "Service");

        let line = text("systemd").lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
        let mut read = systemd_words(line);
        prop_assert_eq!(read.drain(..2).collect::<Vec<_>>(), ["/usr/bin/env", "--"]);
        prop_assert_eq!(read, argv);
    }
}

/// Runs `script` after a shell function that stands for `name` and prints its arguments; `None` without bash.
fn run_with_function(script: &str, name: &str) -> Option<Vec<String>> {
    let mut shell = Command::new("bash")
        .args(["-c", &format!("{name}() {{ printf '%s\\0' \"$@\"; }}; exec() {{ \"$@\"; }}\n{script}")])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let mut out = Vec::new();
    std::io::Read::read_to_end(shell.stdout.as_mut()?, &mut out).ok()?;
    assert!(shell.wait().ok()?.success());
    let text = String::from_utf8(out).unwrap();
    Some(text.split_terminator('\0').map(str::to_owned).collect())
}

#[test]
fn a_real_shell_passes_the_same_words() {
    let words: Vec<String> = HOSTILE.iter().filter(|word| **word != ":").map(|word| (*word).to_owned()).collect();
    let deployment = deployment(&words);
    let forms = deployment.forms();
    for (title, name, behind) in [("docker run", "docker", "your-image:tag"), ("Slurm", "srun", "--")] {
        let script = &forms.iter().find(|form| form.title == title).unwrap().text;
        let Some(passed) = run_with_function(script, name) else { return };
        let at = passed.iter().position(|word| word == behind).unwrap();
        let expected = if name == "docker" { &deployment.argv()[1..] } else { deployment.argv() };
        assert_eq!(&passed[at + 1..], expected, "{title}");
    }
}

/// systemd's own checker, where the machine has it.
#[test]
fn systemd_accepts_the_unit() {
    let mut argv = vec!["/bin/true".to_owned()];
    argv.extend(HOSTILE.map(str::to_owned));
    for words in [argv.clone(), argv[..1].to_vec(), [vec!["true".to_owned()], argv].concat()] {
        let unit = Deployment::from_words("llama_cpp", words).unwrap().forms().remove(3);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(&unit.file_name);
        std::fs::File::create(&path).unwrap().write_all(unit.text.as_bytes()).unwrap();
        let Ok(checked) = Command::new("systemd-analyze").arg("verify").arg("--man=no").arg(&path).output() else {
            return;
        };
        let said = String::from_utf8_lossy(&checked.stderr).into_owned();
        // Trouble with other units of the machine is not ours.
        let ours: Vec<_> = said.lines().filter(|line| line.contains(&unit.file_name)).collect();
        assert!(ours.is_empty(), "{said}\n{}", unit.text);
    }
}
