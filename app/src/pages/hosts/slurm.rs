//! The part of a host's form that says what is asked of a Slurm cluster.

use leptos::prelude::*;
use podium_launcher::{SlurmConfig, SshConfig};

use super::containers::{Field, Kind, field_view};

/// Whether the host is a cluster's login node, and what its jobs ask for; open where it is one or something is wrong.
pub(super) fn slurm_fields(
    key: &str,
    ssh: &SshConfig,
    problem: &dyn Fn(&str) -> Option<String>,
) -> impl IntoView + use<> {
    let none = SlurmConfig::default();
    let is_cluster = ssh.slurm.is_some();
    let fields = fields(ssh.slurm.as_ref().unwrap_or(&none));
    let open = is_cluster || fields.iter().any(|field| problem(&field.name).is_some());
    let views = fields.into_iter().map(|field| {
        let text = problem(&field.name);
        field_view(key, field, text)
    });
    let views = views.collect_view();
    view! {
        <details open=open>
            <summary>"Slurm"</summary>
            <div class="field">
                <label>
                    <input name="slurm" type="checkbox" checked=is_cluster />
                    " It is the login node of a cluster: a job holds a node for each run"
                </label>
            </div>
            {views}
        </details>
    }
}

fn fields(config: &SlurmConfig) -> [Field; 8] {
    let line = |name: &str, label: &str, value: &str, hint: &'static str| Field {
        name: name.to_owned(),
        label: label.to_owned(),
        value: value.to_owned(),
        hint,
        kind: Kind::Line,
    };
    let conf = config.conf.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
    [
        line(
            "partition",
            "Partition",
            &config.partition,
            "Several with commas between them; the cluster's where empty.",
        ),
        line("account", "Account", &config.account, "Who pays."),
        line("qos", "Quality of service", &config.qos, "Where the cluster asks for one."),
        line("time_limit", "Time limit", &config.time_limit, "Of one job: minutes, HH:MM:SS or DAYS-HH:MM:SS."),
        line("gres", "GPUs of a node", &config.gres, "A number, or gpu:TYPE:NUMBER such as gpu:h100:8."),
        line("constraint", "Constraint", &config.constraint, "Features that a node must have."),
        Field {
            kind: Kind::Lines,
            ..line(
                "options",
                "More options of sbatch",
                &config.options.join("\n"),
                "One a line, such as --mem=64G or --exclusive.",
            )
        },
        line("slurm_conf", "slurm.conf", &conf, "Where it is not in its usual place on the login node."),
    ]
}
