//! `/hosts`: the machines that engines run on.

use leptos::prelude::*;
use leptos_meta::Title;
use podium_launcher::HostFacts;
use podium_service::HostView;

use crate::components::{EmptyState, FrameworkMark, Moment, loaded};
use crate::context::{caller, service};
use crate::format::bytes;

/// The known hosts and what was found on each.
#[component]
pub fn HostsPage() -> impl IntoView {
    view! {
        <Title text="Hosts" />
        <h1>"Hosts"</h1>
        {loaded(async {
            let hosts = service()?.hosts(caller()?).await?;
            Ok(if hosts.is_empty() {
                view! {
                    <EmptyState title="No hosts known">
                        <p>
                            "The machines that engines can run on are listed here, with the frameworks and GPUs found on each."
                        </p>
                    </EmptyState>
                }
                .into_any()
            } else {
                hosts.iter().map(host).collect_view().into_any()
            })
        })}
    }
}

fn host(host: &HostView) -> impl IntoView + use<> {
    let checked = host.checked_at.map(|at| {
        view! {
            <span class="muted">
                "looked at "
                <Moment at />
            </span>
        }
    });
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
                    <button class="button button-small" type="submit">
                        "Look again"
                    </button>
                </form>
            </div>
            {facts}
        </section>
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
    let gpus = if facts.gpus.is_empty() {
        view! { <dd>"none"</dd> }.into_any()
    } else {
        let gpus = facts.gpus.iter().map(|gpu| {
            let memory = format!("{} of {} MiB in use", gpu.memory_used_mib, gpu.memory_total_mib);
            view! { <dd>{format!("{} · {} · {memory} · driver {}", gpu.index, gpu.model, gpu.driver_version)}</dd> }
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
    view! {
        {problems}
        {frameworks(facts)}
        <dl class="facts">
            <dt>"GPUs"</dt>
            {gpus}
            {fact("Processor", format!("{} · {} cores", facts.cpu_model, facts.cpu_cores))}
            {fact(
                "Memory",
                format!("{} free of {}", bytes(facts.memory_available_bytes), bytes(facts.memory_total_bytes)),
            )}
            {disk}
            {fact("System", format!("{} · kernel {} · {}", facts.os, facts.kernel, facts.host_name))}
            {fact("Containers", containers)}
        </dl>
    }
    .into_any()
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
                    <td>{install.version.clone().unwrap_or_else(|| "not known".to_owned())}</td>
                    <td>
                        <code>{install.program.display().to_string()}</code>
                    </td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <div class="table-scroll">
            <table>
                <caption>"Frameworks that can be started here"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Framework"</th>
                        <th scope="col">"Version"</th>
                        <th scope="col">"Program"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}
