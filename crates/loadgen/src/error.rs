//! Why a load run could not take place.

use std::io;
use std::path::PathBuf;

/// Why a load run could not take place. Failures of single requests are no errors: they are measured.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The job makes no sense.
    #[error("{0}")]
    Job(String),
    /// The requests or the schedule cannot be built.
    #[error(transparent)]
    Workload(#[from] podium_workload::Error),
    /// The server's name has no address.
    #[error("cannot find the address of {host}: check the spelling of the base URL and the name service")]
    Resolve {
        /// The name.
        host: String,
        /// The system's answer.
        source: io::Error,
    },
    /// The system refused a timer or an event loop.
    #[error("cannot start the load process's event loop")]
    EventLoop(#[source] io::Error),
    /// The sample file cannot be written or read.
    #[error("cannot access the sample file {}: check the folder and the space on its disk", path.display())]
    Samples {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
}
