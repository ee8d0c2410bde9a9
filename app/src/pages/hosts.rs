//! `/hosts`: the machines that engines run on.

mod containers;
mod slurm;

use std::path::PathBuf;

use leptos::prelude::*;
use leptos_axum::ResponseOptions;
use leptos_meta::Title;
use podium_launcher::{ClusterFacts, HostFacts, LoadFrom, ModelCache, SshConfig};
use podium_service::HostView;
use uuid::Uuid;

use self::containers::container_fields;
use self::slurm::slurm_fields;
use crate::components::{FrameworkMark, Moment, ScrollTable, loaded};
use crate::context::{caller, service};
use crate::error::AppError;
use crate::format::bytes;
use crate::posted::{HostInput, RejectedHost};

/// The known hosts and what was found on each; after a form that was refused with what is wrong at it.
#[component]
pub fn HostsPage() -> impl IntoView {
    let rejected = use_context::<RejectedHost>();
    if let (Some(rejected), Some(response)) = (&rejected, use_context::<ResponseOptions>()) {
        let status = http::StatusCode::from_u16(rejected.error.status_code());
        response.set_status(status.unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR));
    }
    let at_no_form = rejected.as_ref().filter(|rejected| rejected.form.is_none());
    let notice = at_no_form.map(|rejected| summary(&rejected.error));
    let refused = Refused::of(rejected.as_ref(), None);
    let empty = SshConfig::default();
    let (name, ssh) = refused.as_ref().map_or(("", &empty), |refused| refused.values());
    let add = host_form("/hosts".to_owned(), "new", name, ssh, refused.as_ref(), "Add and look at it");
    let open = refused.is_some();
    view! {
        <Title text="Hosts" />
        <h1>"Hosts"</h1>
        {notice}
        {loaded(async move {
            let hosts = service()?.hosts(caller()?).await?;
            // This machine is always there, so the list is never empty.
            Ok(hosts.iter().map(|known| host(known, rejected.as_ref())).collect_view().into_any())
        })}
        <section class="card host">
            <details open=open>
                <summary>"Add a host"</summary>
                <p>
                    "A host is reached by SSH as "<code>"ssh"</code>
                    " reaches it from here: keys, ports and jump hosts belong into "<code>"~/.ssh/config"</code>
                    ", its key must be known, and no password may be asked for. Containers of this machine, and a Slurm cluster whose login node it is, need no SSH."
                </p>
                {add}
            </details>
        </section>
    }
}

/// A form that was refused: what was written in it and why.
struct Refused<'a> {
    input: &'a HostInput,
    error: &'a AppError,
}

impl<'a> Refused<'a> {
    /// The form of this host, where that is the one that was refused; `None` stands for a new host.
    fn of(rejected: Option<&'a RejectedHost>, host: Option<Uuid>) -> Option<Self> {
        let RejectedHost { form: Some(input), error } = rejected? else { return None };
        (input.host == host).then_some(Self { input, error })
    }

    fn values(&self) -> (&'a str, &'a SshConfig) {
        (&self.input.name, &self.input.config)
    }

    /// What is wrong with a field.
    fn problem(&self, field: &str) -> Option<String> {
        let AppError::Invalid { fields, .. } = self.error else { return None };
        let own: Vec<_> = fields.iter().filter(|problem| problem.path == field).map(|p| p.message.as_str()).collect();
        (!own.is_empty()).then(|| own.join("; "))
    }
}

fn summary(error: &AppError) -> impl IntoView + use<> {
    let text = match error {
        AppError::Invalid { fields, .. } if !fields.is_empty() => {
            "Nothing was saved: mend what is said at the fields, and send it again.".to_owned()
        }
        other => format!("Nothing was changed: {other}."),
    };
    view! {
        <div class="notice notice-bad" role="alert" id="host-problems">
            <p>{text}</p>
        </div>
    }
}

fn host(host: &HostView, rejected: Option<&RejectedHost>) -> impl IntoView + use<> {
    let checked = host.checked_at.map(|at| {
        view! {
            <span class="muted">
                "looked at "
                <Moment at />
            </span>
        }
    });
    let again = format!("Look again at {}", host.name);
    let facts = match &host.facts {
        Some(facts) => facts_view(facts),
        None => view! { <p class="muted">"Nothing is known about it yet."</p> }.into_any(),
    };
    view! {
        <section class="card host" data-host=host.id.to_string()>
            <div class="page-head">
                <h2>{host.name.clone()}</h2>
                {checked}
                <form method="post" action=format!("/hosts/{}/check", host.id)>
                    <button class="button button-small" type="submit" aria-label=again>
                        "Look again"
                    </button>
                </form>
            </div>
            {facts}
            {host.ssh.as_ref().map(|ssh| settings(host, ssh, rejected))}
        </section>
    }
}

/// The settings of a host that is reached by SSH, to change them or to remove it.
fn settings(host: &HostView, ssh: &SshConfig, rejected: Option<&RejectedHost>) -> impl IntoView + use<> {
    let edit = format!("/hosts/{}/edit", host.id);
    let refused = Refused::of(rejected, Some(host.id));
    let (name, shown) = refused.as_ref().map_or((host.name.as_str(), ssh), |refused| refused.values());
    let form = host_form(edit, &host.id.to_string(), name, shown, refused.as_ref(), "Save and look at it");
    let remove = format!("Remove {}", host.name);
    let open = refused.is_some();
    view! {
        <details open=open>
            <summary>{summary_of(ssh)}</summary>
            {form}
            <form class="button-row" method="post" action=format!("/hosts/{}/remove", host.id)>
                <button class="button button-small" type="submit" aria-label=remove>
                    "Remove"
                </button>
                <span class="field-hint">"Its runs and reports stay."</span>
            </form>
        </details>
    }
}

/// How the host is reached, and what its engines run in.
fn summary_of(ssh: &SshConfig) -> String {
    let containers = ssh.container.as_ref().map(|container| container.runtime);
    if ssh.slurm.is_some() {
        let login = if ssh.is_cluster_here() { "this machine" } else { &ssh.destination };
        return format!("Settings: Slurm, through {login}");
    }
    match (ssh.is_here(), containers) {
        (true, Some(runtime)) => format!("Settings: {runtime} of this machine"),
        (_, Some(runtime)) => format!("Settings: reached as {}, {runtime} there", ssh.destination),
        (_, None) => format!("Settings: reached as {}", ssh.destination),
    }
}

/// The form of a host's settings; `key` keeps its fields' ids apart from those of other hosts.
fn host_form(
    action: String,
    key: &str,
    name: &str,
    ssh: &SshConfig,
    refused: Option<&Refused<'_>>,
    submit: &'static str,
) -> impl IntoView + use<> {
    let problem_of = |field: &str| refused.and_then(|refused| refused.problem(field));
    let notice = refused.map(|refused| summary(refused.error));
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
    let fields = [
        ("name", "Name", name.to_owned(), "What the host is called here."),
        (
            "destination",
            "SSH destination",
            ssh.destination.clone(),
            "An alias, a host's name, or user@host; the name where empty.",
        ),
        ("config_file", "SSH configuration file", path(&ssh.config_file), "Instead of ~/.ssh/config."),
        ("folder", "Working folder", path(&ssh.folder), "On the host; the home folder where empty."),
        (
            "podium",
            "Podium",
            path(&ssh.podium),
            "Where podium is on the host, for simulated engines; looked up on PATH where empty.",
        ),
        ("agent", "Agent", path(&ssh.agent), "A podium-agent of this machine, for a host of another kind."),
    ];
    let fields = fields.map(|(field, label, value, hint)| {
        let id = format!("host-{key}-{field}");
        let hint_id = format!("{id}-hint");
        let error_id = format!("{id}-error");
        let problem = problem_of(field);
        let invalid = problem.is_some();
        let described = if invalid { format!("{error_id} {hint_id}") } else { hint_id.clone() };
        let problem = problem.map(|text| view! { <span class="field-error" id=error_id>{text}</span> });
        view! {
            <div class="field">
                <label class="field-label" for=id.clone()>
                    {label}
                </label>
                <input
                    id=id
                    name=field
                    type="text"
                    value=value
                    required=field == "name"
                    autocomplete="off"
                    spellcheck="false"
                    aria-invalid=invalid.then_some("true")
                    aria-describedby=described
                />
                {problem}
                <span class="field-hint" id=hint_id>
                    {hint}
                </span>
            </div>
        }
    });
    // Those that are set, and room for two more.
    let variables = ssh.env.iter().map(|(name, value)| format!("{name}={value}")).chain([String::new(), String::new()]);
    let variables = variables
        .enumerate()
        .map(|(index, value)| {
            let label = format!("Variable {}", index + 1);
            view! { <input name="env" type="text" value=value placeholder="NAME=VALUE" aria-label=label /> }
        })
        .collect_view();
    let env_problem = problem_of("env").map(|text| view! { <span class="field-error">{text}</span> });
    let variables_id = format!("host-{key}-variables");
    let containers = container_fields(key, ssh, &problem_of);
    let cluster = slurm_fields(key, ssh, &problem_of);
    let is_here = ssh.is_here() || ssh.is_cluster_here();
    let reached = one_of_two(
        format!("host-{key}-reached"),
        ("reached", "On"),
        [("ssh", "the host that SSH reaches"), ("here", "this machine, without SSH")],
        is_here,
    );
    let load = one_of_two(
        format!("host-{key}-load"),
        ("load_from", "Load comes from"),
        [("target", "the host, beside the engine"), ("controller", "this machine, through a forwarded port")],
        ssh.load_from == LoadFrom::Controller,
    );
    view! {
        <form method="post" action=action>
            {notice}
            {fields.into_iter().collect_view()}
            {reached}
            {containers}
            {cluster}
            <div class="field" role="group" aria-labelledby=variables_id>
                <span class="field-label" id=variables_id.clone()>
                    "Variables"
                </span>
                {variables}
                {env_problem}
                <span class="field-hint">"For everything that is started there. No secrets: they are stored."</span>
            </div>
            {load}
            <button class="button" type="submit">
                {submit}
            </button>
        </form>
    }
}

/// A choice of two, each a value and its words; `second`: the second one is chosen.
fn one_of_two(
    id: String,
    (name, label): (&'static str, &'static str),
    [first_option, second_option]: [(&'static str, &'static str); 2],
    second: bool,
) -> impl IntoView {
    view! {
        <div class="field">
            <label class="field-label" for=id.clone()>
                {label}
            </label>
            <select id=id name=name>
                <option value=first_option.0 selected=!second>
                    {first_option.1}
                </option>
                <option value=second_option.0 selected=second>
                    {second_option.1}
                </option>
            </select>
        </div>
    }
}

fn facts_view(facts: &HostFacts) -> AnyView {
    let problems = (!facts.problems.is_empty()).then(|| {
        let problems = facts.problems.iter().map(|problem| view! { <li>{problem.clone()}</li> }).collect_view();
        view! {
            <div class="notice notice-warn">
                <ul>{problems}</ul>
            </div>
        }
    });
    if !facts.is_reached() {
        return problems.into_any();
    }
    let gpus = if facts.gpus.is_empty() {
        view! { <dd>"none"</dd> }.into_any()
    } else {
        let gpus = facts.gpus.iter().map(|gpu| {
            let memory = format!("{} of {} MiB in use", gpu.memory_used_mib, gpu.memory_total_mib);
            let by = gpu.in_use_by().map(|who| format!(" by {who}")).unwrap_or_default();
            let text = format!("{} · {} · {memory}{by} · driver {}", gpu.index, gpu.model, gpu.driver_version);
            view! { <dd>{text}</dd> }
        });
        gpus.collect_view().into_any()
    };
    let disk = facts.disk.as_ref().map(|disk| {
        let free = format!("{} free of {}", bytes(disk.available_bytes), bytes(disk.total_bytes));
        fact("Disk of the data folder", format!("{free} ({})", disk.path))
    });
    let containers = match facts.container_runtimes.as_slice() {
        [] => "none".to_owned(),
        found => {
            let names = found.iter().map(|runtime| runtime.version.clone().unwrap_or_else(|| runtime.name.clone()));
            names.collect::<Vec<_>>().join(", ")
        }
    };
    if let Some(cluster) = &facts.cluster {
        return view! {
            {problems}
            {partitions(cluster)}
        }
        .into_any();
    }
    view! {
        {problems}
        {frameworks(facts)}
        <dl class="facts">
            <dt>"GPUs"</dt>
            {gpus}
            {facts.cuda_version.clone().map(|version| fact("CUDA", format!("up to {version} by the driver")))}
            {fact("Processor", format!("{} · {} cores", facts.cpu_model, facts.cpu_cores))}
            {fact(
                "Memory",
                format!("{} free of {}", bytes(facts.memory_available_bytes), bytes(facts.memory_total_bytes)),
            )}
            {disk}
            {facts.model_caches.iter().map(cache).collect_view()}
            {fact("System", format!("{} · kernel {} · {}", facts.os, facts.kernel, facts.host_name))}
            {fact("Containers", containers)}
        </dl>
    }
    .into_any()
}

/// A folder of downloaded models.
fn cache(cache: &ModelCache) -> impl IntoView + use<> {
    let content = match (cache.exists, cache.models.len()) {
        (false, _) => "not there yet; engines make it".to_owned(),
        (true, 0) => "no models".to_owned(),
        (true, _) => cache.models.join(", "),
    };
    fact("Model cache", format!("{}: {content}", cache.path.display()))
}

/// The partitions of a cluster; what engines find is only known of a node that a run holds.
fn partitions(cluster: &ClusterFacts) -> impl IntoView + use<> {
    let rows = cluster.partitions.iter().map(|nodes| {
        view! {
            <tr>
                <th scope="row">{nodes.name.clone()}</th>
                <td>{format!("{} {}", nodes.nodes, nodes.state)}</td>
                <td>{if nodes.gres.is_empty() { "none".to_owned() } else { nodes.gres.clone() }}</td>
                <td>{nodes.time_limit.clone()}</td>
                <td>{nodes.available.clone()}</td>
            </tr>
        }
    });
    view! {
        <ScrollTable
            caption={format!("Partitions of the cluster (Slurm {})", cluster.version)}
            columns=["Partition", "Nodes", "GPUs of a node", "Longest job", "Takes jobs"]
            lines={rows.collect_view()}
        />
    }
}

fn fact(name: &'static str, value: String) -> impl IntoView {
    view! {
        <dt>{name}</dt>
        <dd>{value}</dd>
    }
}

fn frameworks(facts: &HostFacts) -> AnyView {
    if facts.frameworks.is_empty() {
        return view! {
            <p>
                "No framework was found. Put "<code>"llama-server"</code>" or "<code>"vllm"</code>
                " on PATH, or name a folder of engines in "<code>"PODIUM_ENGINES_DIR"</code>
                ". Simulated engines run everywhere."
            </p>
        }
        .into_any();
    }
    let rows = facts
        .frameworks
        .iter()
        .map(|install| {
            view! {
                <tr>
                    <th scope="row">
                        <FrameworkMark framework=install.framework />
                    </th>
                    <td>{install.version_text()}</td>
                    <td>
                        <code>{install.program.display().to_string()}</code>
                    </td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <ScrollTable
            caption="Frameworks that can be started here"
            columns=["Framework", "Version", "Program"]
            lines={rows}
        />
    }
    .into_any()
}
