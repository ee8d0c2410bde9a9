//! What is looked at of the host itself, and of the model on it.

use std::time::Duration;

use podium_domain::framework::ModelArgument;
use podium_domain::plan::{FrameworkPlan, Plan};
use podium_launcher::{CommandSpec, Gpu, HostFacts};
use serde_json::Value;

use super::{Checks, FrameworkPreflight, Preflight, PreflightCheck, server_words};
use crate::runs::is_simulated;

/// Less free space than this is worth a warning where a model has to be fetched.
const ROOM_FOR_A_MODEL_BYTES: u64 = 20 << 30;

/// How long the memory of a process that has ended may stay in use.
const GPU_RELEASE: Duration = Duration::from_secs(3);

/// How long a look at a file may take: it may be on a network's disk.
const LOOK_DEADLINE: Duration = Duration::from_secs(30);

impl Preflight<'_> {
    /// Host, disk, port and GPUs; the reason where nothing can be measured there now.
    pub(super) async fn host_checks(&self, checks: &mut Checks) -> Option<String> {
        let facts = self.facts;
        let check = PreflightCheck::host("host");
        if !facts.is_reached() {
            let why = facts.problems.join("; ");
            checks.add(check.fail(format!("out of reach: {why}"), Some("see `podium host check`".to_owned())));
            return Some(format!("{} is out of reach: {why}", self.host_name));
        }
        checks.add(check.pass(format!("{}, {}, {} cores", facts.host_name, facts.os, facts.cpu_cores)));
        for problem in &facts.problems {
            checks.add(PreflightCheck::host("host").warn(problem.clone(), None));
        }
        if let Some(disk) = &facts.disk {
            let free = format!("{} free in {}", gib(disk.available_bytes), disk.path);
            checks.add(PreflightCheck::host("disk").pass(free));
        }
        let port = PreflightCheck::host("port");
        match self.host.free_port().await {
            Ok(port_number) => checks.add(port.pass(format!("{port_number} is free, as others are"))),
            Err(error) => {
                checks.add(port.fail(format!("no port is free: {error}"), Some("end what holds them".to_owned())));
                return Some(format!("{} has no free port for an engine: {error}", self.host_name));
            }
        }
        let (mut check, mut stop) = gpu_check(facts, self.plan);
        if stop.is_some() {
            // The driver may still be taking back what an engine held that has just ended.
            tokio::time::sleep(GPU_RELEASE).await;
            (check, stop) = gpu_check(&self.host.facts().await, self.plan);
        }
        checks.add(check);
        stop
    }

    /// Whether the model is there.
    pub(super) async fn model(&self, found: &FrameworkPreflight, part: &FrameworkPlan, checks: &mut Checks) {
        let check = PreflightCheck::about(found.framework, "model");
        if found.simulated {
            checks.add(check.skip("a simulated engine needs no model"));
            return;
        }
        let given = match found.framework.spec().model_argument {
            ModelArgument::Flag(name) => part.base_server_flags.get(name).and_then(Value::as_str),
            ModelArgument::Positional => None,
        };
        let model = given.unwrap_or_else(|| self.plan.model_location(found.framework, part));
        checks.add(match self.is_there(model).await {
            Err(problem) => check.warn(format!("{model} could not be looked for: {problem}"), None),
            Ok(true) => check.pass(format!("{model} is on the host")),
            Ok(false) if is_path(model) => {
                let advice = "correct the path in the plan, or put the model there; it is seen from the host";
                check.fail(format!("{model} is not on the host"), Some(advice.to_owned()))
            }
            Ok(false) => self.hub_model(model, check),
        });
    }

    /// A model of the hub: in a cache of the host, or to be fetched by the engine.
    fn hub_model(&self, model: &str, check: PreflightCheck) -> PreflightCheck {
        let caches = &self.facts.model_caches;
        if let Some(cache) = caches.iter().find(|cache| cache.models.iter().any(|known| known == model)) {
            return check.pass(format!("{model} is in the cache {}", cache.path.display()));
        }
        let cache = caches.first().map_or_else(String::new, |cache| format!(" {}", cache.path.display()));
        let free = self.facts.disk.as_ref().map(|disk| disk.available_bytes);
        let room = free.map(|bytes| format!("; {} are free on the data folder's disk", gib(bytes))).unwrap_or_default();
        let detail = format!("{model} is not in the cache{cache}: the engine will fetch it when it starts{room}");
        let advice = match free {
            Some(bytes) if bytes < ROOM_FOR_A_MODEL_BYTES => {
                "make room, or point HF_HOME at another disk; HF_TOKEN is needed for a gated model"
            }
            _ => "fetch it before, so that loading is no download; HF_TOKEN is needed for a gated model",
        };
        check.warn(detail, Some(advice.to_owned()))
    }

    /// Whether a path leads somewhere on the host.
    async fn is_there(&self, path: &str) -> Result<bool, String> {
        let mut command = CommandSpec::new(["test", "-e", path]);
        command.deadline = LOOK_DEADLINE;
        let output = self.host.run(&command).await.map_err(|error| error.to_string())?;
        match output.exit.code {
            Some(0) => Ok(true),
            Some(1) => Ok(false),
            _ => Err(output.exit.to_string()),
        }
    }
}

fn gib(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / f64::from(1u32 << 30))
}

/// Whether this can only be a path: `org/name` may be a folder or a model of the hub.
fn is_path(model: &str) -> bool {
    ["/", "./", "../", "~"].iter().any(|start| model.starts_with(start)) || model.ends_with(".gguf")
}

/// The GPUs that the plan's engines would take, and whether they are free. A GPU in use stops the run: its figures would
/// be another process's as well.
fn gpu_check(facts: &HostFacts, plan: &Plan) -> (PreflightCheck, Option<String>) {
    let check = PreflightCheck::host("GPUs");
    let real: Vec<_> = plan.frameworks.values().map(server_words).filter(|words| !is_simulated(words)).collect();
    if real.is_empty() {
        return (check.skip("simulated engines use none"), None);
    }
    let wanted = plan.hardware.gpu_count as usize;
    if wanted == 0 {
        return (check.pass("the plan asks for none"), None);
    }
    let visible = match visible(facts) {
        Ok(visible) => visible,
        Err(missing) => {
            let reason = format!("CUDA_VISIBLE_DEVICES names GPU {missing}, which the host does not have");
            let advice = "correct the variable where the host's settings or Podium's environment set it";
            return (check.fail(reason.clone(), Some(advice.to_owned())), Some(format!("{reason}: {advice}")));
        }
    };
    let requested = &visible[..wanted.min(visible.len())];
    let busy: Vec<_> = requested
        .iter()
        .filter_map(|gpu| Some(format!("GPU {} is in use by {}", gpu.index, gpu.in_use_by()?)))
        .collect();
    if !busy.is_empty() {
        let reason = busy.join("; ");
        let advice = "end that process, or choose other GPUs by CUDA_VISIBLE_DEVICES";
        return (check.fail(reason.clone(), Some(advice.to_owned())), Some(format!("{reason}: {advice}")));
    }
    if requested.len() < wanted {
        let detail = format!(
            "the plan is written for {wanted} GPUs and the host has {}: a run is a flow check, without a winner",
            requested.len()
        );
        return (check.warn(detail, Some("run it on a host with as many GPUs as the plan has".to_owned())), None);
    }
    let names: Vec<_> = requested.iter().map(|gpu| format!("{} {}", gpu.index, gpu.model)).collect();
    (check.pass(format!("free: {}", names.join(", "))), None)
}

/// The GPUs that engines see there, in the order in which they take them; the name of one that is not there.
fn visible(facts: &HostFacts) -> Result<Vec<&Gpu>, String> {
    let Some(devices) = &facts.visible_devices else { return Ok(facts.gpus.iter().collect()) };
    // A machine without GPUs has nothing to choose from.
    if facts.gpus.is_empty() {
        return Ok(Vec::new());
    }
    let mut visible = Vec::new();
    for name in devices.split(',').map(str::trim) {
        // The driver takes what stands before the first that is no device.
        if name.is_empty() || name == "-1" || name == "NoDevFiles" {
            break;
        }
        let found = facts.gpus.iter().find(|gpu| match name.parse::<u32>() {
            Ok(index) => gpu.index == index,
            Err(_) => gpu.uuid.starts_with(name),
        });
        visible.push(found.ok_or_else(|| name.to_owned())?);
    }
    Ok(visible)
}

#[cfg(test)]
mod tests {
    use podium_formats::plan::read;
    use podium_launcher::GpuUser;

    use super::*;
    use crate::preflight::Finding;

    fn gpu(index: u32, users: Vec<GpuUser>) -> Gpu {
        Gpu {
            index,
            model: "NVIDIA L40S".to_owned(),
            uuid: format!("GPU-{index}f"),
            memory_total_mib: 46_068,
            memory_used_mib: 3,
            driver_version: "550.1".to_owned(),
            compute_capability: None,
            users,
        }
    }

    fn facts(gpus: Vec<Gpu>, visible_devices: Option<&str>) -> HostFacts {
        HostFacts { gpus, visible_devices: visible_devices.map(str::to_owned), ..HostFacts::unreachable(String::new()) }
    }

    fn plan(gpu_count: u32, server_command: &str) -> Plan {
        let yaml = format!(
            "model: {{name: org/model}}\nhardware: {{gpu_count: {gpu_count}}}\n\
             dataset: {{input_len: [8], output_len: [2]}}\nbenchmark: {{request_rates: [4]}}\n\
             frameworks:\n  vllm: {{server_command: {server_command}, base_server_flags: {{max_model_len: 2048}}, \
             search_space: {{}}}}\n"
        );
        let reading = read(&yaml);
        reading.plan.unwrap_or_else(|| panic!("{:?}", reading.problems))
    }

    fn user() -> GpuUser {
        GpuUser { pid: 4242, program: "python3".to_owned(), memory_mib: Some(30_000) }
    }

    #[test]
    fn a_gpu_in_use_stops_the_run_and_says_who_uses_it() {
        let facts_of = |visible| facts(vec![gpu(0, vec![user()]), gpu(1, vec![])], visible);
        let (check, stop) = gpu_check(&facts_of(None), &plan(1, "vllm serve"));
        assert_eq!(
            (check.finding, check.detail.as_str()),
            (Finding::Fail, "GPU 0 is in use by python3 (pid 4242, 30000 MiB)")
        );
        assert!(stop.unwrap().contains("pid 4242"));
        for visible in ["1", "GPU-1f"] {
            let (check, stop) = gpu_check(&facts_of(Some(visible)), &plan(1, "vllm serve"));
            assert_eq!((check.finding, stop), (Finding::Pass, None), "another GPU was chosen");
        }
        let (check, stop) = gpu_check(&facts_of(None), &plan(1, "podium sim vllm"));
        assert_eq!((check.finding, stop), (Finding::Skip, None));
        let (_, stop) = gpu_check(&facts_of(Some("7")), &plan(1, "vllm serve"));
        assert!(stop.unwrap().contains("names GPU 7"));
    }

    #[test]
    fn another_number_of_gpus_is_never_taken_silently() {
        let (check, stop) = gpu_check(&facts(vec![gpu(0, vec![])], None), &plan(4, "vllm serve"));
        assert_eq!((check.finding, stop), (Finding::Warn, None));
        assert!(check.detail.contains("for 4 GPUs and the host has 1"), "{}", check.detail);
        let (check, _) = gpu_check(&facts(vec![gpu(0, vec![])], Some("")), &plan(0, "vllm serve"));
        assert_eq!(check.finding, Finding::Pass);
    }

    #[test]
    fn paths_are_told_from_names_of_the_hub() {
        assert!(["/m", "./m", "../m", "~/m", "models/x.gguf"].iter().all(|model| is_path(model)));
        assert!(!["Qwen/Qwen3-8B", "gpt2"].iter().any(|model| is_path(model)));
    }
}
