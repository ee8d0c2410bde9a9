//! What the store answers instead of a value.

/// The store's error. Its text is for the log; what a person sees is decided by who calls the store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such thing, or it was deleted.
    #[error("{what} was not found")]
    NotFound {
        /// The kind of thing, for example `run`.
        what: &'static str,
    },
    /// A constraint of the schema, or a rule of the store that is named like one, speaks against it.
    #[error("the constraint {constraint} does not allow this")]
    Conflict {
        /// Its name, for example `host_name_key`.
        constraint: String,
    },
    /// Another worker has claimed the run since; whoever gets this stops working on it and writes nothing more.
    #[error("the lease on the run was lost to another worker")]
    LeaseLost,
    /// The database cannot be reached or has no room at the moment; trying again may help.
    #[error("the database cannot be reached")]
    Unavailable(#[source] sqlx::Error),
    /// The database's URL is of no use: it cannot be read, or the server turns Podium away.
    #[error(
        "the database refuses Podium; check DATABASE_URL: user, password, database and sslmode (TLS is not built in)"
    )]
    Refused(#[source] sqlx::Error),
    /// The database was migrated by a newer Podium.
    #[error(
        "the database has migration {found}, but this Podium knows migrations up to {known} only. Use the newer Podium \
         that made it, or another data folder or database"
    )]
    NewerDatabase {
        /// The newest migration of the database.
        found: i64,
        /// The newest migration of this program.
        known: i64,
    },
    /// The database's migrations failed, or do not match this program's.
    #[error("the database could not be migrated")]
    Migration(#[source] sqlx::migrate::MigrateError),
    /// A stored value is not what the column should hold, or a value cannot be stored.
    #[error("the value of {column} does not fit: {reason}")]
    Value {
        /// Table and column, for example `run.status`.
        column: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Reading the contents to be stored failed.
    #[error("could not read what should be stored")]
    Read(#[source] std::io::Error),
    /// Anything else that the database says.
    #[error("a database query failed")]
    Database(#[source] sqlx::Error),
}

/// The result of a store method.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let constraint = error.as_database_error().and_then(|error| error.constraint()).map(str::to_owned);
        if let Some(constraint) = constraint {
            return Error::Conflict { constraint };
        }
        match &error {
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
                Error::Unavailable(error)
            }
            // A URL that cannot be read.
            sqlx::Error::Configuration(_) => Error::Refused(error),
            // Class 08 is a broken connection; 57P01 to 57P03 are shutdown, crash and "starting up"; class 53 is a
            // server without connections, memory or disk space, which somebody gives back.
            sqlx::Error::Database(database)
                if database.code().is_some_and(|code| {
                    code.starts_with("08") || code.starts_with("53") || matches!(&*code, "57P01" | "57P02" | "57P03")
                }) =>
            {
                Error::Unavailable(error)
            }
            _ => Error::Database(error),
        }
    }
}

impl Error {
    /// Whether the same call may succeed later without anybody changing it.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Error::Unavailable(_))
    }

    /// For `ok_or_else` on optional rows.
    pub(crate) fn not_found(what: &'static str) -> impl FnOnce() -> Self {
        move || Error::NotFound { what }
    }
}

/// Turns the violation of one constraint into an error that says what it means.
pub trait OnConstraint<T, E> {
    /// Replaces a conflict with the constraint `name` by `error()`; every other error is converted.
    fn on_constraint(self, name: &str, error: impl FnOnce() -> E) -> Result<T, E>;
}

impl<T, E: From<Error>> OnConstraint<T, E> for Result<T, Error> {
    fn on_constraint(self, name: &str, error: impl FnOnce() -> E) -> Result<T, E> {
        self.map_err(|found| match &found {
            Error::Conflict { constraint } if constraint == name => error(),
            _ => E::from(found),
        })
    }
}
