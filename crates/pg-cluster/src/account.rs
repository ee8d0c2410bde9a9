//! Who runs the server: ourselves, or, when we are root, an ordinary user.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::process::geteuid;

use crate::error::ClusterError;

/// The user that PostgreSQL is dropped to when Podium runs as root.
const DATABASE_USER: &str = "postgres";

/// The account that owns the cluster and runs its server.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    /// The user's id.
    pub uid: u32,
    /// The ids to change to before a program is run; `None` when we are that user already.
    pub drop_to: Option<DropTo>,
}

/// An ordinary user that root changes to.
#[derive(Debug, Clone)]
pub(crate) struct DropTo {
    /// The user's name, or its number where the name was not needed.
    pub name: String,
    /// The user's id.
    pub uid: u32,
    /// The user's main group.
    pub gid: u32,
}

impl Account {
    /// The account for this process: itself, or for root whoever owns the cluster in `pgdata` already, or else the
    /// database's user.
    pub(crate) fn for_this_process(pgdata: &Path) -> Result<Self, ClusterError> {
        let euid = geteuid();
        if !euid.is_root() {
            return Ok(Account { uid: euid.as_raw(), drop_to: None });
        }
        let user = match owner(pgdata) {
            Some(owner) => owner,
            None => {
                let path = Path::new("/etc/passwd");
                let passwd = fs::read_to_string(path).map_err(ClusterError::io("read", path))?;
                find_user(&passwd, DATABASE_USER).ok_or(ClusterError::NoOrdinaryUser)?
            }
        };
        Ok(Account { uid: user.uid, drop_to: Some(user) })
    }
}

/// The ordinary user that owns an existing cluster.
fn owner(pgdata: &Path) -> Option<DropTo> {
    let found = fs::metadata(pgdata).ok()?;
    (found.uid() != 0).then(|| DropTo { name: found.uid().to_string(), uid: found.uid(), gid: found.gid() })
}

/// The entry of `name` in the text of a `passwd` file, unless it is root under another name.
fn find_user(passwd: &str, name: &str) -> Option<DropTo> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next() != Some(name) {
            return None;
        }
        let uid: u32 = fields.nth(1)?.parse().ok()?;
        let gid: u32 = fields.next()?.parse().ok()?;
        (uid != 0).then(|| DropTo { name: name.to_owned(), uid, gid })
    })
}

#[cfg(test)]
mod tests {
    use super::find_user;

    #[test]
    fn finds_the_user_by_its_whole_name() {
        let passwd = "root:x:0:0::/root:/bin/sh\npostgres2:x:7:7::/:/bin/sh\npostgres:x:101:104:a:/var:/bin/sh\n";
        let user = find_user(passwd, "postgres").unwrap();
        assert_eq!((user.uid, user.gid), (101, 104));
        assert!(find_user(passwd, "root").is_none(), "root in disguise is no ordinary user");
        assert!(find_user(passwd, "nobody").is_none());
    }
}
