//! A Slurm batch script.

use podium_domain::flags::shell_join;

use super::container::{options_remarks, secrets_remark};
use super::{Deployment, comment};

/// The script.
pub(super) fn write(deployment: &Deployment) -> String {
    let mut out =
        format!("#!/bin/bash\n#SBATCH --job-name={}\n#SBATCH --nodes=1\n#SBATCH --ntasks=1\n", deployment.name());
    if let Some(count) = deployment.gpu_count().filter(|count| *count > 0) {
        out += &format!("#SBATCH --gpus-per-node={count}\n");
    }
    out += "#SBATCH --output=%x-%j.log\n";
    out += &comment(&format!("{}: the command that was measured, word for word.", deployment.title()));
    let options = options_remarks(deployment, "in the folder that the job starts in");
    out.extend(options.iter().map(|remark| comment(remark)));
    out.extend(
        secrets_remark(deployment, "are inherited from the environment of sbatch.").map(|remark| comment(&remark)),
    );
    out += "set -eu\n";
    for (name, value) in deployment.env() {
        out += &format!("export {name}={}\n", shell_join(std::slice::from_ref(value)));
    }
    let argv = deployment.argv();
    let command = match argv.iter().any(|word| word == ":") {
        false => shell_join(argv),
        // srun takes a colon that stands alone for the border of a second job, so the words go as one.
        true => shell_join(&["bash".to_owned(), "-c".to_owned(), format!("exec {}", shell_join(argv))]),
    };
    out + &format!("exec srun --ntasks=1 -- {command}\n")
}
