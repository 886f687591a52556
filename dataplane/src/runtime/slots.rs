//! Routes by numbers that stay theirs for as long as they are there, so that a router goes on while routes change.

use std::sync::Arc;

use ir::{RouteId, SharedMap};

use super::Route;

/// Routes of a chunk.
const CHUNK: usize = 64;

type Chunk = [Option<Arc<Route>>; CHUNK];

/// All routes, by number. Copies share what is the same in both.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slots {
    chunks: Vec<Arc<Chunk>>,
    numbers: SharedMap<RouteId, usize>,
    /// Numbers that no route has now.
    free: Vec<usize>,
}

impl Slots {
    /// The route of a number.
    #[must_use]
    pub(crate) fn get(&self, number: usize) -> Option<&Arc<Route>> {
        self.chunks.get(number / CHUNK)?.get(number % CHUNK)?.as_ref()
    }

    /// The number of a route.
    #[must_use]
    pub(crate) fn number(&self, id: &RouteId) -> Option<usize> {
        self.numbers.get(id).copied()
    }

    /// All routes.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.chunks.iter().flat_map(|chunk| chunk.iter()).flatten()
    }

    /// Puts a route in, in place of the one of its name if there is one.
    pub(super) fn put(&mut self, route: Arc<Route>) {
        let number = self.number(&route.id).unwrap_or_else(|| self.reserve(route.id.clone()));
        self.set(number, Some(route));
    }

    /// Takes a route out.
    pub(super) fn remove(&mut self, id: &RouteId) {
        if let Some(number) = self.numbers.remove(id) {
            self.set(number, None);
            self.free.push(number);
        }
    }

    fn reserve(&mut self, id: RouteId) -> usize {
        let number = self.free.pop().unwrap_or_else(|| {
            let first = self.chunks.len() * CHUNK;
            self.chunks.push(Arc::new(std::array::from_fn(|_| None)));
            self.free.extend((first + 1..first + CHUNK).rev());
            first
        });
        self.numbers.insert(id, number);
        number
    }

    fn set(&mut self, number: usize, route: Option<Arc<Route>>) {
        let slot = self.chunks.get_mut(number / CHUNK).and_then(|chunk| Arc::make_mut(chunk).get_mut(number % CHUNK));
        if let Some(slot) = slot {
            *slot = route;
        }
    }
}
