//! A real Podman with a storage of its own, and an image that was made here: no registry has a part in it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Output};

use podium_domain::framework::Framework;
use podium_launcher::{ContainerConfig, ContainerPlace, Runtime, SshConfig};
use tempfile::TempDir;

/// The image's name.
pub const IMAGE: &str = "localhost/podium-test:1";

/// A storage of containers. What is in it goes with it.
#[derive(Debug)]
pub struct Podman {
    folder: TempDir,
}

impl Podman {
    /// One with the image in it.
    ///
    /// # Panics
    /// When it cannot be had: `apt-get install podman runc conmon`.
    pub fn start() -> Self {
        let podman = Podman { folder: tempfile::tempdir().expect("a temporary folder") };
        // Nothing but the way to this machine's own programs, which containers see below /usr.
        let root = podman.folder.path().join("rootfs");
        for folder in ["usr", "etc", "tmp", "proc", "sys", "dev", "run", "var"] {
            std::fs::create_dir_all(root.join(folder)).expect("a folder");
        }
        for (name, to) in [("bin", "usr/bin"), ("sbin", "usr/sbin"), ("lib", "usr/lib"), ("lib64", "usr/lib64")] {
            std::os::unix::fs::symlink(to, root.join(name)).expect("a link");
        }
        let tar = podman.folder.path().join("rootfs.tar");
        let packed = Command::new("tar").arg("-C").arg(&root).arg("-cf").arg(&tar).arg(".").status();
        assert!(packed.expect("tar starts").success(), "the image was not packed");
        podman.must(&["import", &tar.display().to_string(), IMAGE]);
        podman
    }

    /// Words before Podman's command: the storage, and what a machine without systemd and with old control groups needs.
    pub fn global_flags(&self) -> Vec<String> {
        let at = |name: &str| self.folder.path().join(name).display().to_string();
        let words = ["--storage-driver", "vfs", "--runtime", "runc", "--cgroup-manager=cgroupfs"];
        let places = [("--root", at("storage")), ("--runroot", at("run")), ("--tmpdir", at("tmp"))];
        let places = places.into_iter().flat_map(|(flag, place)| [flag.to_owned(), place]);
        places.chain(words.map(str::to_owned)).collect()
    }

    /// Words after `run`: a limit above the machine's own would be refused.
    pub fn run_flags(&self) -> Vec<String> {
        ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096"].map(str::to_owned).to_vec()
    }

    /// Every framework in the image, with this machine's programs and these folders.
    pub fn config(&self, mounts: &[PathBuf]) -> ContainerConfig {
        let place = || ContainerPlace::Image { image: IMAGE.to_owned(), entrypoint: None };
        let mounts = mounts.iter().map(|path| format!("{0}:{0}:ro", path.display()));
        ContainerConfig {
            runtime: Runtime::Podman,
            global_flags: self.global_flags(),
            run_flags: self.run_flags(),
            mounts: std::iter::once("/usr:/usr:ro".to_owned()).chain(mounts).collect(),
            places: Framework::ALL.map(|framework| (framework, place())).into_iter().collect::<BTreeMap<_, _>>(),
            ..ContainerConfig::default()
        }
    }

    /// A host of containers of this machine.
    pub fn host(&self, mounts: &[PathBuf]) -> SshConfig {
        SshConfig { container: Some(self.config(mounts)), ..SshConfig::default() }
    }

    /// Runs `podman` with this storage.
    ///
    /// # Panics
    /// When it is not there.
    pub fn run(&self, words: &[&str]) -> Output {
        let ran = Command::new("podman").args(self.global_flags()).args(words).output();
        ran.unwrap_or_else(|error| panic!("podman: {error}: `apt-get install podman runc conmon`"))
    }

    /// What `podman` says.
    ///
    /// # Panics
    /// When it fails.
    pub fn must(&self, words: &[&str]) -> String {
        let output = self.run(words);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "podman {words:?}: {out}{err}");
        out.into_owned()
    }

    /// Starts a container that does nothing until it is removed.
    pub fn idle(&self, name: &str, more: &[&str]) {
        let flags = self.run_flags();
        let flags = flags.iter().map(String::as_str).chain(["--volume", "/usr:/usr:ro", "--network", "host"]);
        let words = ["run", "--detach", "--name", name].into_iter().chain(flags).chain(more.iter().copied());
        let words: Vec<&str> = words.chain([IMAGE, "sleep", "86400"]).collect();
        self.must(&words);
    }

    /// The names of all containers, running or not.
    pub fn containers(&self) -> Vec<String> {
        self.must(&["ps", "--all", "--format", "{{.Names}}"]).lines().map(str::to_owned).collect()
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        // Their mounts would keep the folder.
        self.run(&["rm", "--all", "--force", "--time", "0"]);
    }
}
