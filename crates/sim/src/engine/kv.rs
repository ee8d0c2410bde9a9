//! The paged KV cache: a fixed number of blocks, shared prefixes, least recently used ones evicted first.

use std::collections::{BTreeMap, HashMap};

/// Prefixes are shared in pieces of at least this many tokens: pages of one token would make the bookkeeping of the
/// simulation slower than the engine that it simulates.
const LEAST_PIECE_TOKENS: u32 = 16;

/// Blocks that one sequence holds.
#[derive(Debug, Default)]
pub struct Holding {
    pieces: Vec<u64>,
    own_blocks: u64,
}

#[derive(Debug)]
struct Piece {
    holders: u32,
    /// When the last holder left; the key of the eviction order.
    idle_since: u64,
}

/// All blocks.
#[derive(Debug)]
pub struct KvPool {
    total_blocks: u64,
    block_tokens: u32,
    piece_blocks: u64,
    own_blocks: u64,
    pieces: HashMap<u64, Piece>,
    idle: BTreeMap<u64, u64>,
    clock: u64,
    share: bool,
}

impl KvPool {
    /// An empty cache. `share` turns prefix caching on.
    pub fn new(total_blocks: u64, block_tokens: u32, share: bool) -> KvPool {
        let block_tokens = block_tokens.max(1);
        KvPool {
            total_blocks,
            block_tokens,
            piece_blocks: u64::from(LEAST_PIECE_TOKENS.div_ceil(block_tokens)),
            own_blocks: 0,
            pieces: HashMap::new(),
            idle: BTreeMap::new(),
            clock: 0,
            share,
        }
    }

    /// Tokens in one shared piece.
    pub fn piece_tokens(&self) -> u32 {
        self.block_tokens * self.piece_blocks as u32
    }

    /// One hash for each full piece of a prompt; each depends on everything before it.
    pub fn hash_pieces(&self, ids: &[u32]) -> Vec<u64> {
        if !self.share {
            return Vec::new();
        }
        let mut hash = 0u64;
        ids.chunks_exact(self.piece_tokens() as usize)
            .map(|piece| {
                hash = piece.iter().fold(hash, |hash, id| super::random::mix(hash ^ u64::from(*id)).wrapping_add(1));
                hash
            })
            .collect()
    }

    /// How many of the leading `hashes` are cached.
    pub fn cached_pieces(&self, hashes: &[u64]) -> usize {
        hashes.iter().take_while(|hash| self.pieces.contains_key(hash)).count()
    }

    /// Takes hold of the leading `count` cached pieces.
    pub fn hold_prefix(&mut self, hashes: &[u64], count: usize) -> Holding {
        let mut holding = Holding::default();
        for hash in hashes.iter().take(count) {
            let Some(piece) = self.pieces.get_mut(hash) else { break };
            if piece.holders == 0 {
                self.idle.remove(&piece.idle_since);
            }
            piece.holders += 1;
            holding.pieces.push(*hash);
        }
        holding
    }

    /// Grows a holding until it covers `tokens`, evicting idle pieces. Changes nothing and returns false when the
    /// blocks are not there.
    pub fn grow(&mut self, holding: &mut Holding, tokens: u32) -> bool {
        let missing = self.blocks_missing(holding, tokens);
        if missing > self.obtainable_blocks() {
            return false;
        }
        while self.free_blocks() < missing {
            let Some((_, hash)) = self.idle.pop_first() else { return false };
            self.pieces.remove(&hash);
        }
        holding.own_blocks += missing;
        self.own_blocks += missing;
        true
    }

    /// Blocks that a holding lacks to cover `tokens`.
    pub fn blocks_missing(&self, holding: &Holding, tokens: u32) -> u64 {
        let needed = u64::from(tokens.div_ceil(self.block_tokens));
        needed.saturating_sub(self.blocks_of(holding))
    }

    /// Blocks that a holding has.
    pub fn blocks_of(&self, holding: &Holding) -> u64 {
        holding.own_blocks + holding.pieces.len() as u64 * self.piece_blocks
    }

    /// Makes the pieces of a computed prompt available to others.
    pub fn share_prefix(&mut self, holding: &mut Holding, hashes: &[u64]) {
        // Once a piece is already there from elsewhere, the blocks after it stay the sequence's own as well: a
        // holding's shared pieces are always a prefix.
        for hash in hashes.iter().skip(holding.pieces.len()) {
            if holding.own_blocks < self.piece_blocks || self.pieces.contains_key(hash) {
                break;
            }
            self.pieces.insert(*hash, Piece { holders: 1, idle_since: 0 });
            holding.pieces.push(*hash);
            holding.own_blocks -= self.piece_blocks;
            self.own_blocks -= self.piece_blocks;
        }
    }

    /// Gives everything back; shared pieces stay cached until they are evicted.
    pub fn release(&mut self, holding: Holding) {
        self.own_blocks -= holding.own_blocks;
        // Deep pieces first, so that they are evicted before those that they depend on.
        for hash in holding.pieces.iter().rev() {
            let Some(piece) = self.pieces.get_mut(hash) else { continue };
            piece.holders -= 1;
            if piece.holders == 0 {
                self.clock += 1;
                piece.idle_since = self.clock;
                self.idle.insert(self.clock, *hash);
            }
        }
    }

    /// All blocks.
    pub fn total_blocks(&self) -> u64 {
        self.total_blocks
    }

    /// Blocks held by sequences.
    pub fn used_blocks(&self) -> u64 {
        self.own_blocks + (self.pieces.len() - self.idle.len()) as u64 * self.piece_blocks
    }

    /// Blocks that could be had, by eviction where needed.
    pub fn obtainable_blocks(&self) -> u64 {
        self.total_blocks - self.used_blocks()
    }

    fn free_blocks(&self) -> u64 {
        self.total_blocks - self.own_blocks - self.pieces.len() as u64 * self.piece_blocks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(start: u32, count: u32) -> Vec<u32> {
        (start..start + count).collect()
    }

    #[test]
    fn blocks_are_counted_and_come_back() {
        let mut pool = KvPool::new(10, 16, false);
        let mut holding = Holding::default();
        assert!(pool.grow(&mut holding, 17));
        assert_eq!((pool.used_blocks(), pool.blocks_of(&holding)), (2, 2));
        assert!(!pool.grow(&mut holding, 161), "11 blocks do not fit into 10");
        assert_eq!(pool.used_blocks(), 2, "a refusal changes nothing");
        pool.release(holding);
        assert_eq!(pool.obtainable_blocks(), 10);
    }

    #[test]
    fn a_shared_prefix_is_stored_once_and_evicted_when_needed() {
        let mut pool = KvPool::new(6, 16, true);
        let hashes = pool.hash_pieces(&ids(0, 40));
        assert_eq!(hashes.len(), 2);
        let mut first = Holding::default();
        assert!(pool.grow(&mut first, 40));
        pool.share_prefix(&mut first, &hashes);
        let second = pool.hold_prefix(&hashes, pool.cached_pieces(&hashes));
        assert_eq!(pool.used_blocks(), 3, "two shared, one own");
        pool.release(first);
        assert_eq!(pool.used_blocks(), 2);
        pool.release(second);
        assert_eq!((pool.used_blocks(), pool.cached_pieces(&hashes)), (0, 2));
        let mut other = Holding::default();
        assert!(pool.grow(&mut other, 5 * 16), "an idle piece gives way");
        assert_eq!(pool.cached_pieces(&hashes), 1, "the deeper piece went first");
        assert!(pool.grow(&mut other, 6 * 16));
        assert_eq!(pool.cached_pieces(&hashes), 0);
    }

    #[test]
    fn different_beginnings_share_nothing() {
        let pool = KvPool::new(6, 1, true);
        let (one, two) = (pool.hash_pieces(&ids(0, 64)), pool.hash_pieces(&ids(1, 64)));
        assert_eq!(one.len(), 4);
        assert!(one.iter().all(|hash| !two.contains(hash)));
    }
}
