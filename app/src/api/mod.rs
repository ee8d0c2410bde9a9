//! Server functions, one per file: parse, one call of the service, map the error.
//!
//! Each names its `endpoint`, for the default is a hash of the folder it was built in, and returns
//! [`AppError`](crate::error::AppError). Structured input is sent as JSON (`input = Json`).
