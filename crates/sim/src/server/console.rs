//! What a simulated server prints: the lines by which people and launchers recognise the real ones.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use podium_domain::framework::Framework;

use super::driver::Death;
use crate::cli::ServerOptions;
use crate::engine::{EngineConfig, LaunchFailure, Stats};

const GIB: f64 = 1_073_741_824.0;
/// Loading is reported in this many equal parts.
const LOADING_PARTS: u32 = 20;
/// How far loading gets before memory runs out, in those parts.
const FAILING_PARTS: u32 = 14;

pub(super) struct Console {
    framework: Framework,
}

impl Console {
    pub(super) fn new(framework: Framework) -> Console {
        Console { framework }
    }

    /// A line on standard output.
    pub(super) fn print(&self, text: &str) {
        // A closed pipe (`| head`) is no reason to fail.
        let _ = writeln!(io::stdout(), "{}", text.trim_end());
    }

    /// A line on standard error, as it is.
    pub(super) fn raw(&self, text: &str) {
        let _ = writeln!(io::stderr(), "{text}");
    }

    pub(super) fn info(&self, text: &str) {
        self.raw(&match self.framework {
            Framework::Vllm | Framework::Tokenspeed => format!("(APIServer pid={}) INFO {text}", std::process::id()),
            Framework::Sglang => format!("[sglang] {text}"),
            Framework::TensorrtLlm => format!("[TRT-LLM] [I] {text}"),
            Framework::LlamaCpp => format!("srv  llama_server: {text}"),
        });
    }

    pub(super) fn error(&self, text: &str) {
        self.raw(&match self.framework {
            Framework::Vllm | Framework::Tokenspeed => format!("(EngineCore pid={}) ERROR {text}", std::process::id()),
            Framework::Sglang => format!("[sglang] Scheduler hit an exception: {text}"),
            Framework::TensorrtLlm => format!("[TRT-LLM] [E] {text}"),
            Framework::LlamaCpp => format!("E srv  llama_server: {text}"),
        });
    }

    pub(super) fn starting(&self, options: &ServerOptions) {
        let engine = &options.engine;
        self.info(&format!(
            "Simulated {}: no model is run. Model {} as {}, {} x {}, tensor parallel {}, pipeline parallel {}, data parallel {}",
            self.framework.name(),
            options.model,
            engine.model.spec().id,
            engine.gpu_count(),
            engine.gpu,
            engine.tensor_parallel,
            engine.pipeline_parallel,
            engine.data_parallel,
        ));
        self.info(&format!(
            "Engine: {} running, {} tokens a step, blocks of {}, sequences up to {}, prefix caching {}",
            engine.max_running,
            engine.token_budget,
            engine.block_tokens,
            engine.max_seq_tokens,
            if engine.prefix_cache { "on" } else { "off" },
        ));
    }

    /// Prints progress over the time that loading takes; stops early where it will fail.
    pub(super) async fn loading(&self, startup: Duration, fails: bool) {
        let parts = if fails { FAILING_PARTS } else { LOADING_PARTS };
        let start = tokio::time::Instant::now();
        for part in 1..=parts {
            tokio::time::sleep_until(start + startup * part / LOADING_PARTS).await;
            self.info(&format!("Loading weights... {}%", part * 100 / LOADING_PARTS));
        }
    }

    pub(super) fn ready(&self, addr: SocketAddr) {
        match self.framework {
            Framework::LlamaCpp => self.info(&format!("model loaded\nsrv  llama_server: listening on http://{addr}")),
            Framework::Sglang => {
                self.raw(&format!("INFO:     Uvicorn running on http://{addr} (Press CTRL+C to quit)"));
                self.info("The server is fired up and ready to roll!");
            }
            Framework::Vllm | Framework::TensorrtLlm | Framework::Tokenspeed => {
                self.raw(&format!("INFO:     Started server process [{}]", std::process::id()));
                self.raw("INFO:     Application startup complete.");
                self.raw(&format!("INFO:     Uvicorn running on http://{addr} (Press CTRL+C to quit)"));
            }
        }
    }

    /// One line about the load, as the real servers print it every few seconds.
    pub(super) fn load(&self, stats: &Stats, tokens_per_s: f64) {
        self.info(&format!(
            "Running: {} reqs, Waiting: {} reqs, KV cache usage: {:.1}%, generation throughput: {tokens_per_s:.1} tokens/s, preemptions: {}",
            stats.running,
            stats.waiting,
            stats.kv_usage() * 100.0,
            stats.preemptions,
        ));
    }

    pub(super) fn bind_failed(&self, host: &str, port: u16, error: &io::Error) {
        let errno = error.raw_os_error().unwrap_or_default();
        let reason = match error.kind() {
            io::ErrorKind::AddrInUse => "address already in use".to_owned(),
            _ => error.to_string(),
        };
        self.raw(&match self.framework {
            Framework::LlamaCpp => {
                format!(
                    "E srv  llama_server: couldn't bind HTTP server socket, hostname: {host}, port: {port} ({reason})"
                )
            }
            _ => format!(
                "ERROR:    [Errno {errno}] error while attempting to bind on address ('{host}', {port}): {reason}"
            ),
        });
    }

    pub(super) fn launch_failed(&self, engine: &EngineConfig, failure: &LaunchFailure) {
        match *failure {
            LaunchFailure::OutOfMemory { tried_bytes, free_bytes, total_bytes } => {
                self.out_of_memory(tried_bytes, free_bytes, total_bytes);
            }
            LaunchFailure::KvTooSmall { needed_tokens, available_tokens } => {
                let gib = |tokens: u64| tokens as f64 * engine.kv_bytes_per_token() / GIB;
                let shortage = format!(
                    "the KV cache holds {available_tokens} tokens ({:.2} GiB), but one sequence of the maximum length needs {needed_tokens} ({:.2} GiB)",
                    gib(available_tokens),
                    gib(needed_tokens),
                );
                self.error(&match self.framework {
                    Framework::Sglang => {
                        format!("RuntimeError: Not enough memory. Please try to increase --mem-fraction-static ({shortage}).")
                    }
                    Framework::TensorrtLlm => format!(
                        "RuntimeError: {shortage}. Increase kv_cache_free_gpu_memory_fraction or decrease max_seq_len."
                    ),
                    Framework::LlamaCpp => format!("failed to create context: {shortage}"),
                    Framework::Vllm | Framework::Tokenspeed if available_tokens == 0 => format!(
                        "ValueError: No available memory for the cache blocks ({shortage}). Try increasing `gpu_memory_utilization` when initializing the engine."
                    ),
                    Framework::Vllm | Framework::Tokenspeed => format!(
                        "ValueError: To serve at least one request with the model's max seq len ({needed_tokens}), {:.2} GiB KV cache is needed, which is larger than the available KV cache memory ({:.2} GiB). Try increasing `gpu_memory_utilization` or decreasing `max_model_len` when initializing the engine.",
                        gib(needed_tokens),
                        gib(available_tokens),
                    ),
                });
            }
        }
    }

    pub(super) fn died(&self, death: &Death) {
        match death {
            Death::OutOfMemory(crash) => {
                self.out_of_memory(crash.tried_bytes, crash.free_bytes, crash.total_bytes);
            }
            Death::Fault => {
                self.error("torch.AcceleratorError: CUDA error: an illegal memory access was encountered");
            }
        }
        self.raw(match self.framework {
            Framework::LlamaCpp => "Aborted (core dumped)",
            _ => "Fatal Python error: Aborted",
        });
    }

    fn out_of_memory(&self, tried_bytes: f64, free_bytes: f64, total_bytes: f64) {
        if self.framework == Framework::LlamaCpp {
            self.raw(&format!(
                "ggml_backend_cuda_buffer_type_alloc_buffer: allocating {:.2} MiB on device 0: cudaMalloc failed: out of memory",
                tried_bytes / GIB * 1_024.0
            ));
            return self.error("failed to load model");
        }
        self.error(&format!(
            "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate {:.2} GiB. GPU 0 has a total capacity of {:.2} GiB of which {:.2} GiB is free.",
            tried_bytes / GIB,
            total_bytes / GIB,
            free_bytes / GIB,
        ));
    }
}
