//! Stored files: logs, help texts, raw results. Equal contents are kept once, compressed, in chunks.

use std::collections::VecDeque;

use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use tokio::io::{AsyncRead, AsyncReadExt};
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::lease::Lease;
use crate::pool::Store;

/// Fast, and within a tenth of what higher levels reach on logs.
const ZSTD_LEVEL: i32 = 3;

/// How much of a large content is kept.
#[derive(Debug, Clone, Copy)]
pub struct ArtifactLimits {
    /// Bytes of a chunk before compression.
    pub chunk_bytes: usize,
    /// Bytes kept from the start, and at most as many from the end; a multiple of `chunk_bytes`.
    pub edge_bytes: usize,
}

impl Default for ArtifactLimits {
    /// Chunks of 1 MiB, 32 MiB of head and of tail.
    fn default() -> Self {
        ArtifactLimits { chunk_bytes: 1 << 20, edge_bytes: 32 << 20 }
    }
}

/// A stored content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// The content.
    pub id: Uuid,
    /// SHA-256 of the whole content, the part that is not stored included.
    pub sha256: Vec<u8>,
    /// For example `text/plain`.
    pub media_type: String,
    /// Bytes of the whole content.
    pub size_bytes: i64,
    /// Bytes that are stored, before compression.
    pub stored_bytes: i64,
    /// Whether the middle is missing.
    pub truncated: bool,
    /// When it was first stored.
    pub created_at: OffsetDateTime,
}

/// A run's file: a content under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunArtifact {
    /// The content.
    pub artifact_id: Uuid,
    /// The launch that it is from.
    pub launch_id: Option<Uuid>,
    /// For example `server_log`.
    pub kind: String,
    /// Its name, unique among the run's files of this kind.
    pub name: String,
    /// For example `text/plain`.
    pub media_type: String,
    /// Bytes of the whole content.
    pub size_bytes: i64,
    /// Whether the middle is missing.
    pub truncated: bool,
}

/// Makes a content a file of a run.
#[derive(Debug, Clone)]
pub struct NewArtifactLink {
    /// The content.
    pub artifact_id: Uuid,
    /// The launch that it is from.
    pub launch_id: Option<Uuid>,
    /// For example `server_log`.
    pub kind: String,
    /// Its name; an earlier file of this kind and name is replaced.
    pub name: String,
}

/// A part of a content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactPart {
    /// Where the part begins in the whole content; later than asked for where the middle is missing.
    pub offset: i64,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl ArtifactPart {
    /// Where to go on.
    pub fn next_offset(&self) -> i64 {
        self.offset + i64::try_from(self.bytes.len()).unwrap_or(i64::MAX)
    }
}

impl Store {
    /// Stores everything that `reader` yields, unless an equal content is stored already; the content either way.
    ///
    /// Reads to the end; memory stays within the compressed edges of `limits`. Not fenced: contents never change, and
    /// belong to a run only by [`Store::link_artifact`].
    pub async fn put_artifact(
        &self,
        reader: impl AsyncRead + Unpin,
        media_type: &str,
        limits: ArtifactLimits,
    ) -> Result<Artifact> {
        let content = Content::read(reader, limits).await?;
        let mut tx = self.pool.begin().await?;
        let id = crate::new_id();
        let inserted = sqlx::query!(
            "insert into artifact (id, sha256, media_type, size_bytes, stored_bytes, truncated)
             values ($1, $2, $3, $4, $5, $6) on conflict (sha256) do nothing",
            id,
            &content.sha256[..],
            media_type,
            content.size_bytes,
            content.stored_bytes(),
            content.is_truncated()
        )
        .execute(&mut *tx)
        .await?;
        if inserted.rows_affected() > 0 {
            for chunk in content.chunks() {
                sqlx::query!(
                    "insert into artifact_chunk (artifact_id, start_offset, length, zstd) values ($1, $2, $3, $4)",
                    id,
                    chunk.start_offset,
                    chunk.length,
                    chunk.zstd
                )
                .execute(&mut *tx)
                .await?;
            }
        }
        let artifact = sqlx::query_as!(
            Artifact,
            "select id, sha256, media_type, size_bytes, stored_bytes, truncated, created_at
             from artifact where sha256 = $1",
            &content.sha256[..]
        )
        .fetch_one(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(artifact)
    }

    /// Makes a content a file of the leased run.
    pub async fn link_artifact(&self, lease: &Lease, link: &NewArtifactLink) -> Result<()> {
        let mut tx = self.fenced(lease).await?;
        sqlx::query!(
            "insert into run_artifact (run_id, launch_id, artifact_id, kind, name) values ($1, $2, $3, $4, $5)
             on conflict on constraint run_artifact_key
             do update set artifact_id = excluded.artifact_id, launch_id = excluded.launch_id, created_at = now()",
            lease.run_id,
            link.launch_id,
            link.artifact_id,
            link.kind,
            link.name
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// A run's files, by kind and name.
    pub async fn run_artifacts(&self, run_id: Uuid) -> Result<Vec<RunArtifact>> {
        Ok(sqlx::query_as!(
            RunArtifact,
            "select l.artifact_id, l.launch_id, l.kind, l.name, a.media_type, a.size_bytes, a.truncated
             from run_artifact l join artifact a on a.id = l.artifact_id
             where l.run_id = $1 order by l.kind, l.name",
            run_id
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// One content's description.
    pub async fn artifact(&self, id: Uuid) -> Result<Artifact> {
        sqlx::query_as!(
            Artifact,
            "select id, sha256, media_type, size_bytes, stored_bytes, truncated, created_at from artifact where id = $1",
            id
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or_else(Error::not_found("artifact"))
    }

    /// The stored part from `offset` (bytes of the whole content) to the end of its chunk; `None` at the end.
    pub async fn artifact_part(&self, id: Uuid, offset: i64) -> Result<Option<ArtifactPart>> {
        let chunk = sqlx::query_as!(
            Chunk,
            "select start_offset, length, zstd from artifact_chunk
             where artifact_id = $1 and start_offset + length > $2 order by start_offset limit 1",
            id,
            offset
        )
        .fetch_optional(&self.pool)
        .await?;
        let Some(chunk) = chunk else { return Ok(None) };
        let mut bytes = chunk.unpack()?;
        let skipped = usize::try_from(offset - chunk.start_offset).unwrap_or(0);
        bytes.drain(..skipped.min(bytes.len()));
        Ok(Some(ArtifactPart { offset: offset.max(chunk.start_offset), bytes }))
    }

    /// Everything that is stored of a content. Where the middle is missing a line says how much.
    pub async fn artifact_bytes(&self, id: Uuid) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut offset = 0;
        while let Some(part) = self.artifact_part(id, offset).await? {
            if part.offset > offset {
                bytes.extend_from_slice(format!("\n… {} bytes are not stored …\n", part.offset - offset).as_bytes());
            }
            offset = part.next_offset();
            bytes.extend_from_slice(&part.bytes);
        }
        Ok(bytes)
    }
}

/// A chunk as stored.
struct Chunk {
    start_offset: i64,
    length: i32,
    zstd: Vec<u8>,
}

impl Chunk {
    fn pack(start_offset: i64, bytes: &[u8]) -> Result<Self> {
        let zstd = zstd::bulk::compress(bytes, ZSTD_LEVEL)
            .map_err(|error| Error::Value { column: "artifact_chunk.zstd", reason: error.to_string() })?;
        let length = i32::try_from(bytes.len())
            .map_err(|error| Error::Value { column: "artifact_chunk.length", reason: error.to_string() })?;
        Ok(Chunk { start_offset, length, zstd })
    }

    fn unpack(&self) -> Result<Vec<u8>> {
        let length = usize::try_from(self.length).unwrap_or(0);
        zstd::bulk::decompress(&self.zstd, length)
            .map_err(|error| Error::Value { column: "artifact_chunk.zstd", reason: error.to_string() })
    }
}

/// A content that was read: its hash and its compressed edges.
struct Content {
    sha256: [u8; 32],
    size_bytes: i64,
    head: Vec<Chunk>,
    tail: VecDeque<Chunk>,
}

impl Content {
    async fn read(mut reader: impl AsyncRead + Unpin, limits: ArtifactLimits) -> Result<Self> {
        // A chunk of nothing would look like the end.
        let chunk_bytes = limits.chunk_bytes.max(1);
        let edge_chunks = limits.edge_bytes / chunk_bytes;
        let mut hash = Sha256::new();
        let mut content = Content { sha256: [0; 32], size_bytes: 0, head: Vec::new(), tail: VecDeque::new() };
        let mut buffer = Vec::with_capacity(chunk_bytes);
        loop {
            buffer.clear();
            let mut piece = (&mut reader).take(chunk_bytes as u64);
            piece.read_to_end(&mut buffer).await.map_err(Error::Read)?;
            if buffer.is_empty() {
                break;
            }
            hash.update(&buffer);
            let chunk = Chunk::pack(content.size_bytes, &buffer)?;
            content.size_bytes += i64::from(chunk.length);
            if content.head.len() < edge_chunks {
                content.head.push(chunk);
            } else {
                content.tail.push_back(chunk);
                if content.tail.len() > edge_chunks {
                    content.tail.pop_front();
                }
            }
        }
        content.sha256 = hash.finalize().into();
        Ok(content)
    }

    fn chunks(&self) -> impl Iterator<Item = &Chunk> {
        self.head.iter().chain(&self.tail)
    }

    fn stored_bytes(&self) -> i64 {
        self.chunks().map(|chunk| i64::from(chunk.length)).sum()
    }

    fn is_truncated(&self) -> bool {
        self.stored_bytes() < self.size_bytes
    }
}
