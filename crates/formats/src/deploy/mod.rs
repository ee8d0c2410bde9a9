//! What a winner needs to be deployed: its command as `docker run`, a compose file, a Kubernetes Deployment and
//! Service, a systemd unit and a Slurm script.
//!
//! Every form holds exactly the words of the command, quoted by the rules of that form, so that nothing in a word is
//! ever taken for syntax. Secrets stand in no form: they are named, and reach the server by its environment.

mod compose;
mod container;
mod docker;
mod facts;
mod kubernetes;
mod slurm;
mod systemd;
mod yaml;

pub use facts::Deployment;

/// One form of a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// For people, for example `Kubernetes`.
    pub title: &'static str,
    /// The name of the file to save it as.
    pub file_name: String,
    /// `bash`, `yaml` or `ini`.
    pub language: &'static str,
    /// The file's content.
    pub text: String,
}

impl Deployment {
    /// All forms.
    #[must_use]
    pub fn forms(&self) -> Vec<Form> {
        let name = self.name();
        let form = |title, file_name: String, language, text| Form { title, file_name, language, text };
        vec![
            form("docker run", format!("{name}.sh"), "bash", docker::write(self)),
            form("Compose", "compose.yaml".to_owned(), "yaml", compose::write(self)),
            form("Kubernetes", format!("{name}.yaml"), "yaml", kubernetes::write(self)),
            form("systemd", format!("{name}.service"), "ini", systemd::write(self)),
            form("Slurm", format!("{name}.sbatch"), "bash", slurm::write(self)),
        ]
    }
}

/// Text as a comment: on one line, so that it cannot end the comment.
fn comment(text: &str) -> String {
    let one_line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("# {one_line}\n")
}

#[cfg(test)]
mod tests;
