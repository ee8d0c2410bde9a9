//! From a log and an exit to a reason: a table of patterns, each with what it means and what to do.
//!
//! A pattern counts only where something has failed already; a healthy engine's warnings are never looked at. The
//! order of the table is the order of trust: what is more specific stands first. Every pattern has at least one real
//! line as example, with its source. Not proved by a real excerpt, and decided without a pattern: [`Hang`] and
//! [`TimedOut`] (by the clock), [`CrashSignal`] and the exit code 137 (by the exit), [`RequestFailed`] (by the answer).
//!
//! [`Hang`]: FailureClass::Hang
//! [`TimedOut`]: FailureClass::TimedOut
//! [`CrashSignal`]: FailureClass::CrashSignal
//! [`RequestFailed`]: FailureClass::RequestFailed

use std::sync::LazyLock;

use regex::RegexSet;

use crate::failure::{ExitFacts, FailureClass, LaunchFailure, LaunchStage};

/// A line that a real engine has printed.
#[derive(Debug)]
pub struct Example {
    /// Which engine's log, and where it was seen.
    pub source: &'static str,
    /// The line.
    pub line: &'static str,
}

/// One way to fail, and how it is told.
#[derive(Debug)]
pub struct Recogniser {
    /// What kind of failure the pattern proves.
    pub class: FailureClass,
    /// A regular expression that matches the line that proves it.
    pub pattern: &'static str,
    /// What happened, in a sentence without a full stop.
    pub reason: &'static str,
    /// What to do about it.
    pub hint: &'static str,
    /// Real lines.
    pub examples: &'static [Example],
}

/// The table.
pub static RECOGNISERS: &[Recogniser] = &[
    Recogniser {
        class: FailureClass::GpuOutOfMemory,
        pattern: r"(?i)(?:CUDA|HIP) out of memory|torch\.(?:cuda\.)?OutOfMemoryError|cudaMalloc failed: out of memory|CUDA error: out of memory",
        reason: "the GPU's memory did not suffice",
        hint: "use more GPUs (tensor parallelism), a smaller memory fraction or sequence limit, or a quantised model; \
               check that nothing else uses the GPU",
        examples: &[
            Example {
                source: "vLLM 0.2.5, public tracker of vLLM, report 2140",
                line: "torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 3.50 GiB. GPU 0 has a total capacty of 23.69 GiB of which 3.09 GiB is free.",
            },
            Example {
                source: "llama.cpp, its public tracker, report 20431",
                line: "ggml_backend_cuda_buffer_type_alloc_buffer: allocating 144817.04 MiB on device 0: cudaMalloc failed: out of memory",
            },
        ],
    },
    Recogniser {
        class: FailureClass::GpuOutOfMemory,
        pattern: r"Not enough memory\. Please try to increase --mem-fraction-static|No available memory for the cache blocks|larger than the (?:maximum number of tokens that can be stored in|available) KV cache",
        reason: "no memory was left for the KV cache",
        hint: "raise the engine's memory fraction, lower its sequence limit, or use more GPUs",
        examples: &[Example {
            source: "SGLang 0.5.6, public tracker of GPUStack, report 3831",
            line: "RuntimeError: Not enough memory. Please try to increase --mem-fraction-static. Current value: self.server_args.mem_fraction_static=0.2",
        }],
    },
    Recogniser {
        class: FailureClass::GatedModel,
        pattern: r"(?i)gated repo|GatedRepoError|Access to model \S+ is restricted",
        reason: "the model is gated, and this machine's account has no access to it",
        hint: "accept the model's terms on its page and set HF_TOKEN where Podium runs",
        examples: &[Example {
            source: "transformers, public tracker of llm2vec, report 130",
            line: "OSError: You are trying to access a gated repo.",
        }],
    },
    Recogniser {
        class: FailureClass::UnknownFlag,
        pattern: r"error: unrecognized arguments?:|error: argument -|error: invalid argument:|error: unknown argument:|Error: No such option",
        reason: "the server does not accept one of its flags",
        hint: "compare the flags with the help of this version; a newer or older version may spell it another way",
        examples: &[
            Example { source: "vLLM 0.32 start-up log", line: "vllm: error: unrecognized arguments: --no-such-flag 3" },
            Example {
                source: "SGLang 0.5.23 start-up log",
                line: "sglang serve: error: unrecognized arguments: --no-such-flag 3",
            },
        ],
    },
    Recogniser {
        class: FailureClass::PortTaken,
        pattern: r"(?i)address already in use|couldn't bind (?:to )?HTTP server socket",
        reason: "another process holds the port",
        hint: "stop that process, or let the engine have another port",
        examples: &[
            Example { source: "vLLM 0.32 start-up log", line: "OSError: [Errno 98] Address already in use" },
            Example {
                source: "SGLang 0.5.23 start-up log",
                line: "[2026-11-24 14:23:06] ERROR:    [Errno 98] error while attempting to bind on address ('127.0.0.1', 18999): address already in use",
            },
            Example {
                source: "llama.cpp start-up log",
                line: "0.00.002.171 E srv         start: couldn't bind HTTP server socket, hostname: 127.0.0.1, port: 18999",
            },
        ],
    },
    Recogniser {
        class: FailureClass::MissingModel,
        pattern: r"Repo id must be in the form|failed to open GGUF file|is not a local folder and is not a valid model identifier|does not appear to have a file named|RepositoryNotFoundError|LocalEntryNotFoundError|Repository Not Found for url",
        reason: "the model was not found",
        hint: "check the model's name or path in the plan (a path is seen from where Podium runs), and that it was downloaded where the machine is offline",
        examples: &[
            Example {
                source: "vLLM 0.32 start-up log",
                line: "huggingface_hub.errors.HFValidationError: Repo id must be in the form 'repo_name' or 'namespace/repo_name': '/nowhere/model'. Use `repo_type` argument if needed.",
            },
            Example {
                source: "llama.cpp start-up log",
                line: "0.00.003.579 E gguf_init_from_file: failed to open GGUF file '/nowhere/x.gguf' (No such file or directory)",
            },
        ],
    },
    Recogniser {
        class: FailureClass::DriverMismatch,
        pattern: r"(?i)NVIDIA driver on your system is too old|CUDA driver version is insufficient|Found no NVIDIA driver|no kernel image is available for execution|forward compatibility was attempted on non supported HW|libcuda\.so\.1: cannot open shared object file",
        reason: "GPU driver and engine do not fit each other",
        hint: "run nvidia-smi, and install the driver that this engine's CUDA version needs, or the engine's build for this driver and GPU",
        examples: &[Example {
            source: "PyTorch, public tracker of Fooocus, report 1313",
            line: "RuntimeError: The NVIDIA driver on your system is too old (found version 11040). Please update your GPU driver by downloading and installing a new version",
        }],
    },
    Recogniser {
        class: FailureClass::Nccl,
        pattern: r"NCCL error|DistBackendError|ncclUnhandledCudaError|ncclSystemError|ncclInternalError|ncclRemoteError",
        reason: "the GPUs could not talk to each other (NCCL)",
        hint: "check that all GPUs are visible and free; in a container add --ipc=host or a larger --shm-size; NCCL_DEBUG=INFO shows more",
        examples: &[Example {
            source: "PyTorch, public tracker of vLLM, report 237",
            line: "torch.distributed.DistBackendError: NCCL error in: ../torch/csrc/distributed/c10d/ProcessGroupNCCL.cpp:1275, internal error, NCCL version 2.14.3",
        }],
    },
    Recogniser {
        class: FailureClass::HostOutOfMemory,
        pattern: r"std::bad_alloc|ggml_aligned_malloc: insufficient memory|DefaultCPUAllocator: can't allocate memory|Cannot allocate memory|\bMemoryError\b|Out of memory: Killed process",
        reason: "the machine's memory did not suffice",
        hint: "free memory, raise the memory limit of the container or job, or lower the engine's limits",
        examples: &[
            Example {
                source: "llama.cpp start-up log under an address space limit",
                line: "0.00.115.204 E llama_model_load: error loading model: std::bad_alloc",
            },
            Example {
                source: "llama.cpp start-up log under an address space limit",
                line: "0.00.186.398 E ggml_aligned_malloc: insufficient memory (attempted to allocate 1953.12 MB)",
            },
        ],
    },
    Recogniser {
        class: FailureClass::BrokenInstall,
        pattern: r"\bModuleNotFoundError: |\bImportError: |error while loading shared libraries: ",
        reason: "the engine's installation lacks a part",
        hint: "repair or reinstall the engine; the named part says what is missing",
        examples: &[Example {
            source: "SGLang 0.5.23 start-up log",
            line: "ModuleNotFoundError: No module named 'torchvision'",
        }],
    },
    Recogniser {
        class: FailureClass::EngineError,
        pattern: r"RuntimeError: Worker failed with error|EngineDeadError: |Engine core initialization failed",
        reason: "the engine's own code failed",
        hint: "read the lines above the first error in the log; another attention backend or data type may avoid it",
        examples: &[Example {
            source: "vLLM 0.32 log of a failed request",
            line: "(EngineCore pid=18649) ERROR 11-24 11:51:57 [core.py:1512] RuntimeError: Worker failed with error 'Unsupported CPU attention configuration: head_dim=16 isa=2 kv_cache_idx=0', please check the stack trace above for the root cause",
        }],
    },
];

/// The patterns in one automaton; `None` only if one of them were malformed, which a test excludes.
static PATTERNS: LazyLock<Option<RegexSet>> =
    LazyLock::new(|| RegexSet::new(RECOGNISERS.iter().map(|recogniser| recogniser.pattern)).ok());

/// Lines of evidence that are kept.
const MAX_EVIDENCE: usize = 5;

/// A line of evidence is cut to this many characters.
const MAX_EVIDENCE_CHARS: usize = 500;

/// The first recogniser of the table that a line matches, and the lines that it matches.
pub fn recognise(lines: &[String]) -> Option<(&'static Recogniser, Vec<String>)> {
    let patterns = PATTERNS.as_ref()?;
    let mut matched: Vec<Vec<String>> = vec![Vec::new(); RECOGNISERS.len()];
    for line in lines {
        for index in &patterns.matches(line) {
            if matched[index].len() < MAX_EVIDENCE {
                let line = evidence_line(line);
                if !matched[index].contains(&line) {
                    matched[index].push(line);
                }
            }
        }
    }
    RECOGNISERS.iter().zip(matched).find(|(_, lines)| !lines.is_empty())
}

fn evidence_line(line: &str) -> String {
    line.trim_end().chars().take(MAX_EVIDENCE_CHARS).collect()
}

/// A failure of this class, or of the one that the log proves.
pub(crate) fn explain(stage: LaunchStage, class: FailureClass, reason: String, lines: &[String]) -> LaunchFailure {
    match recognise(lines) {
        Some((recogniser, evidence)) => {
            LaunchFailure::new(stage, recogniser.class, format!("{}: {reason}", recogniser.reason))
                .hint(recogniser.hint)
                .evidence(evidence)
        }
        None => LaunchFailure::new(stage, class, reason).evidence(last_lines(lines)),
    }
}

/// Why a process ended that nobody stopped.
pub(crate) fn explain_exit(stage: LaunchStage, exit: ExitFacts, lines: &[String]) -> LaunchFailure {
    let when = match stage {
        LaunchStage::Start | LaunchStage::Loading => "before it was ready",
        LaunchStage::FirstRequest => "while it answered its first request",
        LaunchStage::Serving => "while it served",
    };
    let ended = format!("it ended {when} with {exit}");
    let mut failure = match recognise(lines) {
        Some((recogniser, evidence)) => {
            LaunchFailure::new(stage, recogniser.class, format!("{}; {ended}", recogniser.reason))
                .hint(recogniser.hint)
                .evidence(evidence)
        }
        None if exit.was_killed() => LaunchFailure::new(
            stage,
            FailureClass::HostOutOfMemory,
            format!("{ended}, most likely for lack of memory"),
        )
        .hint("the kernel's log (dmesg) says whether memory ran out; check the memory limit of the container or job")
        .evidence(last_lines(lines)),
        None if exit.signal.is_some() => LaunchFailure::new(stage, FailureClass::CrashSignal, ended)
            .hint("the last lines of the log say what it was doing")
            .evidence(last_lines(lines)),
        None if exit.code == Some(127) => LaunchFailure::new(stage, FailureClass::CommandNotFound, ended)
            .hint("the command started, but something that it runs was not found")
            .evidence(last_lines(lines)),
        None => LaunchFailure::new(stage, FailureClass::ExitedEarly, ended)
            .hint("the last lines of the log say why")
            .evidence(last_lines(lines)),
    };
    failure.exit = Some(exit);
    failure
}

fn last_lines(lines: &[String]) -> Vec<String> {
    lines[lines.len().saturating_sub(MAX_EVIDENCE)..].iter().map(|line| evidence_line(line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn every_example_is_told_by_its_own_recogniser() {
        for (index, recogniser) in RECOGNISERS.iter().enumerate() {
            for example in recogniser.examples {
                let log = format!("INFO starting\n{}\nINFO shutting down", example.line);
                let (found, evidence) = recognise(&lines(&log)).unwrap_or_else(|| panic!("{}", example.line));
                assert!(std::ptr::eq(found, &RECOGNISERS[index]), "{}", example.line);
                assert_eq!(evidence, [example.line.chars().take(MAX_EVIDENCE_CHARS).collect::<String>()]);
                assert!(!example.source.is_empty());
            }
        }
    }

    #[test]
    fn a_healthy_engines_lines_match_nothing() {
        let log = "[2026-11-24 12:07:25] Ignore import error when loading sglang.srt.models.mamba: No module named 'x'\n\
                   0.00.456.334 I srv  llama_server: listening on http://127.0.0.1:18080\n\
                   INFO:     Application startup complete.";
        assert!(recognise(&lines(log)).is_none());
    }

    #[test]
    fn the_exit_decides_where_the_log_says_nothing() {
        let quiet = lines("loading");
        let class = |code, signal| explain_exit(LaunchStage::Loading, ExitFacts { code, signal }, &quiet).class;
        assert_eq!(class(Some(137), None), FailureClass::HostOutOfMemory);
        assert_eq!(class(None, Some(9)), FailureClass::HostOutOfMemory);
        assert_eq!(class(None, Some(11)), FailureClass::CrashSignal);
        assert_eq!(class(Some(127), None), FailureClass::CommandNotFound);
        assert_eq!(class(Some(1), None), FailureClass::ExitedEarly);
    }

    #[test]
    fn the_log_is_trusted_more_than_the_exit() {
        let log = lines("error: [Errno 98] error while attempting to bind on address: address already in use");
        let failure = explain_exit(LaunchStage::Loading, ExitFacts { code: Some(137), signal: None }, &log);
        assert_eq!(failure.class, FailureClass::PortTaken);
        assert_eq!(
            failure.to_string(),
            "another process holds the port; it ended before it was ready with exit code 137"
        );
        assert_eq!(failure.evidence, log);
    }
}
