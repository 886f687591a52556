//! The threads of a gateway: workers that serve, and one that runs errands: key sets, spans.

use std::net::TcpListener as StdListener;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use observe::metrics::Shard;
use observe::observer::Recorder;
use observe::report::Report;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::LocalSet;
use upstream::{Guard, Upstreams};

use crate::clock::Clock;
use crate::control::StartError;
use crate::egress;
use crate::explain::{self, Described};
use crate::listen::{self, Door};
use crate::runtime::Runtime;
use crate::state::{Fetcher, KeySetCell, State};
use crate::worker::{Parts, Worker};

/// How often counters that nobody uses are forgotten.
const SWEEP: Duration = Duration::from_secs(10);

/// What a worker is told.
pub(crate) enum Command {
    /// Serve this configuration, and say when.
    Swap(Arc<Runtime>, oneshot::Sender<()>),
    /// Accept connections.
    Listen(StdListener, Door),
    /// Say what would become of a request.
    Explain(Box<Described>, oneshot::Sender<Report>),
}

/// How far a worker has been told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stop {
    /// It serves.
    Not,
    /// It serves, and has its clients go elsewhere.
    Leaving,
    /// Calls in flight end first, for as long as the configuration lets them.
    Gracefully,
    /// They are cut.
    AtOnce,
}

/// All workers.
pub(crate) struct Crew(Vec<Member>);

struct Member {
    commands: mpsc::UnboundedSender<Command>,
    stop: watch::Sender<Stop>,
    thread: Option<JoinHandle<()>>,
}

impl Crew {
    /// Starts one worker for each recorder.
    pub(crate) fn start(
        runtime: &Arc<Runtime>,
        state: &Arc<State>,
        clock: &Clock,
        recorders: Vec<(Recorder, Shard)>,
    ) -> Result<Self, StartError> {
        let mut members = Vec::with_capacity(recorders.len());
        for (number, (recorder, metrics)) in recorders.into_iter().enumerate() {
            let (commands, orders) = mpsc::unbounded_channel();
            let (stop, stopped) = watch::channel(Stop::Not);
            let (runtime, state, clock, seed) = (Arc::clone(runtime), Arc::clone(state), clock.clone(), random()?);
            let serve = move || {
                // The pools belong to the thread, so the worker is made on it.
                let parts = Parts {
                    state,
                    upstreams: Upstreams::new(seed),
                    metrics,
                    recorder,
                    clock,
                    number: u32::try_from(number).unwrap_or(0),
                    seed,
                };
                local(work(Rc::new(Worker::new(runtime, parts)), orders, stopped));
            };
            let thread = spawn(&format!("worker-{number}"), serve)?;
            members.push(Member { commands, stop, thread: Some(thread) });
        }
        Ok(Self(members))
    }

    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn commands(&self) -> Vec<mpsc::UnboundedSender<Command>> {
        self.0.iter().map(|member| member.commands.clone()).collect()
    }

    /// Has every worker serve this configuration; returns when all do.
    pub(crate) async fn swap(&self, runtime: &Arc<Runtime>) {
        let mut done = Vec::with_capacity(self.0.len());
        for member in &self.0 {
            let (sender, receiver) = oneshot::channel();
            if member.commands.send(Command::Swap(Arc::clone(runtime), sender)).is_ok() {
                done.push(receiver);
            }
        }
        for receiver in done {
            // A worker that is gone serves nothing.
            let _ = receiver.await;
        }
    }

    /// Has each worker accept connections on its own socket of a port.
    pub(crate) fn listen(&self, sockets: Vec<StdListener>, door: &Door) {
        for (member, socket) in self.0.iter().zip(sockets) {
            let _ = member.commands.send(Command::Listen(socket, door.clone()));
        }
    }

    /// Has every worker send its clients elsewhere.
    pub(crate) fn leave(&self) {
        self.stop(Stop::Leaving);
    }

    /// Lets calls in flight end for as long as the configuration says, or until `hurry` ends; then all workers have
    /// stopped, and calls that did not end are cut.
    pub(crate) async fn drain(&mut self, hurry: impl Future<Output = ()>) {
        self.stop(Stop::Gracefully);
        let threads: Vec<_> = self.0.iter_mut().filter_map(|member| member.thread.take()).collect();
        let mut joined = tokio::task::spawn_blocking(move || threads.into_iter().for_each(|thread| drop(thread.join())));
        tokio::select! {
            _ = &mut joined => return,
            () = hurry => self.stop(Stop::AtOnce),
        }
        let _ = joined.await;
    }

    fn stop(&self, how: Stop) {
        for member in &self.0 {
            let _ = member.stop.send(how);
        }
    }
}

/// Runs one worker until it is told to stop and its connections have ended.
async fn work(worker: Rc<Worker>, mut orders: mpsc::UnboundedReceiver<Command>, mut stopped: watch::Receiver<Stop>) {
    if worker.number == 0 {
        tokio::task::spawn_local(sweep(Rc::clone(&worker)));
    }
    loop {
        let next = if worker.leaving.has_begun() { Stop::Gracefully } else { Stop::Leaving };
        let order = tokio::select! {
            order = orders.recv() => order,
            _ = stopped.wait_for(|stop| *stop >= next) => {
                if next == Stop::Leaving {
                    worker.leaving.begin();
                    continue;
                }
                None
            }
        };
        match order {
            Some(Command::Swap(runtime, done)) => {
                worker.swap(runtime);
                let _ = done.send(());
            }
            Some(Command::Listen(socket, door)) => match TcpListener::from_std(socket) {
                Ok(listener) => {
                    tokio::task::spawn_local(listen::accept(listener, door, Rc::clone(&worker)));
                }
                Err(error) => tracing::error!(%error, "could not watch a socket"),
            },
            Some(Command::Explain(described, answer)) => {
                let worker = Rc::clone(&worker);
                tokio::task::spawn_local(async move {
                    let _ = answer.send(explain::on_worker(&worker, *described).await);
                });
            }
            None => break,
        }
    }
    let patience = Duration::from_millis(worker.runtime().settings.timeouts.drain_ms);
    // What is still in flight behind this ends with the thread's tasks, and leaves its record.
    tokio::select! {
        () = worker.idle() => {}
        () = tokio::time::sleep(patience) => {}
        _ = stopped.wait_for(|stop| *stop == Stop::AtOnce) => {}
    }
}

/// Forgets unused counters now and then.
async fn sweep(worker: Rc<Worker>) {
    let mut ticks = tokio::time::interval(SWEEP);
    loop {
        ticks.tick().await;
        worker.state.limits.sweep(worker.clock.monotonic());
    }
}

/// Starts the thread that fetches key sets and sends spans.
pub(crate) fn errands(
    cells: mpsc::UnboundedReceiver<Arc<KeySetCell>>,
    spans: mpsc::Receiver<(Arc<str>, Bytes)>,
    (clock, guard): (Clock, Arc<ArcSwap<Guard>>),
    mut stopped: watch::Receiver<bool>,
) -> Result<JoinHandle<()>, StartError> {
    let seed = random()?;
    spawn("errands", move || {
        local(async move {
            let upstreams = Rc::new(Upstreams::new(seed));
            tokio::task::spawn_local(export(spans, Rc::clone(&upstreams)));
            let fetcher = Fetcher { upstreams, guard, clock };
            tokio::select! {
                () = fetcher.run(cells) => {}
                _ = stopped.wait_for(|stopped| *stopped) => {}
            }
        });
    })
}

/// Sends batches of spans, one after the other.
async fn export(mut spans: mpsc::Receiver<(Arc<str>, Bytes)>, upstreams: Rc<Upstreams>) {
    while let Some((endpoint, batch)) = spans.recv().await {
        if let Err(trouble) = egress::post_spans(&upstreams, &endpoint, batch).await {
            tracing::warn!(%endpoint, trouble, "could not send spans");
        }
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StartError> {
    std::thread::Builder::new().name(name.to_owned()).spawn(run).map_err(|error| StartError::System(error.to_string()))
}

/// Runs a future on this thread, with tasks that need not be sent to another.
pub(crate) fn local<T>(future: impl Future<Output = T>) -> Option<T> {
    let runtime = Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => Some(LocalSet::new().block_on(&runtime, future)),
        Err(error) => {
            tracing::error!(%error, "could not start an event loop");
            None
        }
    }
}

fn random() -> Result<u64, StartError> {
    getrandom::u64().map_err(|error| StartError::System(error.to_string()))
}
