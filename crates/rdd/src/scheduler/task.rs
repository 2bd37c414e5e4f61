// SPDX-License-Identifier: Apache-2.0
//! One attempt at one partition: its identity, what its operators share, and how it is run and ended.

use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use crossbeam_channel::Sender;
use parking_lot::Mutex;

use crate::{
    accumulator::Touched,
    error::{TaskError, TaskFailure, panic_text},
    event::{EngineEvent, EventBus, OperatorTime},
    lineage::Lineage,
    scheduler::spent::Spent,
};

/// A task by data: which job, stage, partition and attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId {
    /// The job, counted from 0 in a context.
    pub job: u64,
    /// The stage, counted from 0 in a context.
    pub stage: u64,
    /// The partition that the task computes.
    pub partition: usize,
    /// 0 for the first attempt.
    pub attempt: usize,
}

/// What the operators of one running task share.
#[derive(Clone)]
pub struct TaskContext(Arc<Inner>);

struct Inner {
    id: TaskId,
    cancelled: Arc<AtomicBool>,
    operators: Mutex<Vec<Arc<Lineage>>>,
    current: AtomicUsize,
    failed: Mutex<Option<TaskError>>,
    records_out: AtomicU64,
    /// Measured only when somebody listens.
    spent: Option<Spent>,
}

impl TaskContext {
    pub(crate) fn new(id: TaskId, cancelled: Arc<AtomicBool>, measured: bool) -> Self {
        Self(Arc::new(Inner {
            id,
            cancelled,
            operators: Mutex::new(Vec::with_capacity(8)),
            current: AtomicUsize::new(usize::MAX),
            failed: Mutex::new(None),
            records_out: AtomicU64::new(0),
            spent: measured.then(Spent::begin),
        }))
    }

    /// Which task this is.
    pub fn id(&self) -> TaskId {
        self.0.id
    }

    /// The partition that the task computes.
    pub fn partition(&self) -> usize {
        self.0.id.partition
    }

    /// Registers an operator of this task; the number is for [`set_operator`](Self::set_operator).
    pub(crate) fn register(&self, lineage: &Arc<Lineage>) -> usize {
        let mut operators = self.0.operators.lock();
        operators.push(Arc::clone(lineage));
        operators.len() - 1
    }

    /// Says whose code runs next, once per chunk, so that a panic can be blamed on its operator.
    #[inline]
    pub(crate) fn set_operator(&self, operator: usize) {
        match &self.0.spent {
            None => self.0.current.store(operator, Ordering::Relaxed),
            Some(spent) => {
                let before = self.0.current.swap(operator, Ordering::Relaxed);
                if before != operator {
                    spent.charge(before);
                }
            }
        }
    }

    /// Ends the task with an error that cannot be returned, since user code is between here and the task: that code is
    /// unwound, without a word from the panic hook.
    pub(crate) fn unwind(&self, error: TaskError) -> ! {
        self.0.failed.lock().get_or_insert(error);
        resume_unwind(Box::new("the input of the partition failed"))
    }

    /// Ends the task early when its job has been given up.
    #[inline]
    pub(crate) fn check_cancelled(&self) -> Result<(), TaskError> {
        if self.0.cancelled.load(Ordering::Relaxed) { Err(TaskError::Cancelled) } else { Ok(()) }
    }

    /// Adds to the records that the task reports as written.
    pub(crate) fn add_records(&self, records: u64) {
        self.0.records_out.fetch_add(records, Ordering::Relaxed);
    }

    /// How long the task has run.
    fn elapsed(&self) -> Duration {
        self.0.spent.as_ref().map(Spent::elapsed).unwrap_or_default()
    }

    /// Which operators took the time, those of one kind and owner together.
    fn operator_times(&self) -> Vec<OperatorTime> {
        let Some(spent) = &self.0.spent else { return Vec::new() };
        spent.charge(self.0.current.load(Ordering::Relaxed));
        let mut times: Vec<OperatorTime> = Vec::new();
        for (lineage, spent) in self.0.operators.lock().iter().zip(spent.operators()) {
            let (owner, operator) = (lineage.owner(), lineage.operator());
            match times.iter_mut().find(|time| time.owner == owner && time.operator == operator) {
                Some(time) => time.spent += spent,
                None => times.push(OperatorTime { owner, operator, spent }),
            }
        }
        times
    }

    fn operator_name(&self) -> String {
        let operators = self.0.operators.lock();
        operators
            .get(self.0.current.load(Ordering::Relaxed))
            .or(operators.first())
            .map_or_else(|| "action".to_owned(), ToString::to_string)
    }
}

/// What a task does: computes its partition and leaves the result where the job expects it.
pub type TaskBody = Arc<dyn Fn(&TaskContext) -> Result<(), TaskError> + Send + Sync>;

/// A task on its way to a backend.
pub struct Task {
    /// Which task.
    pub id: TaskId,
    /// What to do.
    pub body: TaskBody,
    /// Set when the job is given up.
    pub cancelled: Arc<AtomicBool>,
    /// Whether it is not tried again when it fails.
    pub is_last_attempt: bool,
    /// Where the outcome goes.
    pub done: Sender<TaskOutcome>,
    pub(crate) events: EventBus,
}

/// How an attempt ended.
pub struct TaskOutcome {
    /// Which task.
    pub id: TaskId,
    /// Nothing, or what went wrong and where.
    pub result: Result<(), TaskFailure>,
}

thread_local! {
    static RUNNING: RefCell<Option<Running>> = const { RefCell::new(None) };
}

/// The task on this thread, with the accumulators that it has added to.
pub(crate) struct Running {
    /// Stands for the engine of the task: every engine has its own listeners.
    pub(crate) engine: EventBus,
    pub(crate) worker: usize,
    pub(crate) touched: Vec<Arc<dyn Touched>>,
}

/// Whether this thread is inside a task.
pub(crate) fn in_task() -> bool {
    RUNNING.with_borrow(Option::is_some)
}

/// Calls `f` with the task on this thread.
pub(crate) fn with_running<R>(f: impl FnOnce(Option<&mut Running>) -> R) -> R {
    RUNNING.with_borrow_mut(|running| f(running.as_mut()))
}

impl Task {
    /// Runs the task on this thread, which is worker number `worker` of its backend, and reports the outcome.
    /// Panics and errors of any operator end here, as one typed failure.
    pub fn run(self, worker: usize) {
        let context = TaskContext::new(self.id, Arc::clone(&self.cancelled), self.events.is_heard());
        self.events.post(|| EngineEvent::TaskStarted { task: self.id });
        RUNNING.set(Some(Running { engine: self.events.clone(), worker, touched: Vec::new() }));
        let body = &self.body;
        let result = catch_unwind(AssertUnwindSafe(|| {
            context.check_cancelled()?;
            body(&context)
        }))
        .unwrap_or_else(|panic| {
            let unwound = context.0.failed.lock().take();
            Err(unwound.unwrap_or_else(|| TaskError::Panic(panic_text(&*panic))))
        });
        let touched = RUNNING.take().map(|running| running.touched).unwrap_or_default();
        for accumulator in touched {
            accumulator.end_of_task(worker, result.is_ok());
        }
        let result = result.map_err(|cause| TaskFailure {
            operator: context.operator_name(),
            task: self.id,
            attempts: self.id.attempt + 1,
            cause: Arc::new(cause),
        });
        self.events.post(|| EngineEvent::TaskEnded {
            task: self.id,
            records: context.0.records_out.load(Ordering::Relaxed),
            elapsed: context.elapsed(),
            operators: context.operator_times(),
            error: result.as_ref().err().map(ToString::to_string),
        });
        let ends_stage =
            result.as_ref().is_err_and(|failure| self.is_last_attempt || failure.cause.is_missing_input());
        // The body and what it captured must be gone before the job is told that it has ended.
        let Self { id, body, done, cancelled, .. } = self;
        drop(context);
        drop(body);
        // The receiver is gone only when the job has been abandoned; nobody is left to tell.
        let _ = done.send(TaskOutcome { id, result });
        if ends_stage {
            // Here and not by the job, whose thread may be running one of the others. They come after the cause.
            cancelled.store(true, Ordering::Relaxed);
        }
    }
}

impl Task {
    /// Ends the task without running it, because its backend has been shut down.
    pub fn refuse(self) {
        let failure = TaskFailure {
            operator: "backend".to_owned(),
            task: self.id,
            attempts: self.id.attempt + 1,
            cause: Arc::new(TaskError::Cancelled),
        };
        let _ = self.done.send(TaskOutcome { id: self.id, result: Err(failure) });
        self.cancelled.store(true, Ordering::Relaxed);
    }
}
