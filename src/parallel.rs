//! The threads that compute. A job is cut into parts; whoever is free takes the next part, until none is left.
//!
//! A decoded token is a hundred short jobs, one after the other. So the threads wait for the next job for a moment
//! before they go to sleep, and whoever asks takes parts as well and waits for nobody who has not begun: on a busy
//! machine it then does alone what the others do not come to do. Work-stealing pools pay for a sleep and a waking
//! at each of those jobs, or fall over each other when there are fewer free cores than threads.

use std::any::Any;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::{slice, thread};

/// Computes with so many threads from now on, instead of one for each core or what `RAYON_NUM_THREADS` says. Without
/// effect once something was computed.
pub fn use_threads(threads: usize) {
    // It fails only if the threads run already.
    let _ = POOL.set(Pool::new(threads));
}

/// Calls `work` once with each number below `parts`, on several threads.
pub fn for_each_part(parts: usize, work: impl Fn(usize) + Sync) {
    pool().run(parts, &work);
}

/// Calls `work` once with each piece of `size` values (the last may be shorter) and its number, on several threads.
pub fn for_each_chunk<T: Send>(values: &mut [T], size: usize, work: impl Fn(usize, &mut [T]) + Sync) {
    struct Start<T>(*mut T);
    // SAFETY: each thread makes a slice of its own out of it.
    unsafe impl<T: Send> Sync for Start<T> {}
    impl<T> Start<T> {
        fn at(&self, index: usize) -> *mut T {
            self.0.wrapping_add(index)
        }
    }
    let (len, start) = (values.len(), Start(values.as_mut_ptr()));
    for_each_part(len.div_ceil(size), |part| {
        let first = part * size;
        // SAFETY: the pieces lie inside `values`, which is borrowed for as long as this runs, and no two parts,
        // each of which is called once, share a value.
        let piece = unsafe { slice::from_raw_parts_mut(start.at(first), size.min(len - first)) };
        work(part, piece);
    });
}

/// A new vector of copies of a value, each piece of `size` of which (the last may be shorter) `work` is called with
/// once, and with its number, on several threads. Each thread fills its own pieces: for one alone that may take longer
/// than the work.
pub fn from_chunks<T: Copy + Send + Sync>(
    value: T,
    len: usize,
    size: usize,
    work: impl Fn(usize, &mut [T]) + Sync,
) -> Vec<T> {
    let mut values: Vec<T> = Vec::with_capacity(len);
    for_each_chunk(&mut values.spare_capacity_mut()[..len], size, |index, piece| {
        piece.fill(MaybeUninit::new(value));
        // SAFETY: all of it was filled.
        let piece = unsafe { slice::from_raw_parts_mut(piece.as_mut_ptr().cast(), piece.len()) };
        work(index, piece);
    });
    // SAFETY: all pieces were filled.
    unsafe { values.set_len(len) };
    values
}

/// Each value by a function, in their order, on several threads.
pub fn map<T: Sync, U: Send>(values: &[T], f: impl Fn(&T) -> U + Sync) -> Vec<U> {
    let mut results: Vec<Option<U>> = values.iter().map(|_| None).collect();
    for_each_chunk(&mut results, 1, |index, result| result[0] = Some(f(&values[index])));
    results.into_iter().map(|result| result.expect("every part was called")).collect()
}

/// How many threads compute.
pub fn threads() -> usize {
    pool().workers + 1
}

fn pool() -> &'static Pool {
    POOL.get_or_init(|| Pool::new(default_threads()))
}

static POOL: OnceLock<Pool> = OnceLock::new();

fn default_threads() -> usize {
    let asked = std::env::var("RAYON_NUM_THREADS").ok().and_then(|threads| threads.parse().ok());
    asked
        .filter(|threads| *threads > 0)
        .unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from))
}

/// Threads that wait for jobs. They live as long as the program.
struct Pool {
    shared: Arc<Shared>,
    /// Held by whoever has a job running; others meanwhile work alone.
    busy: Mutex<()>,
    workers: usize,
}

#[derive(Default)]
struct Shared {
    /// Grows with each job.
    jobs: AtomicU64,
    /// The job that is running, on its owner's stack; null when there is none.
    job: AtomicPtr<Job<'static>>,
    /// How many workers may hold `job`.
    inside: AtomicUsize,
    /// How many workers sleep until `jobs` grows.
    asleep: AtomicUsize,
    lock: Mutex<()>,
    wake: Condvar,
}

struct Job<'a> {
    work: &'a (dyn Fn(usize) + Sync),
    parts: usize,
    next: AtomicUsize,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

/// How often a thread looks for news before it sleeps or gives up its turn: some tens of microseconds.
const LOOKS: usize = 4000;

impl Pool {
    fn new(threads: usize) -> Pool {
        let shared = Arc::new(Shared::default());
        let spawn = |_: &usize| {
            let shared = shared.clone();
            thread::Builder::new().name("compute".into()).spawn(move || shared.serve()).is_ok()
        };
        // Where the system gives no more threads, those that are there do the work.
        let workers = (1..threads).take_while(spawn).count();
        Pool { workers, shared, busy: Mutex::new(()) }
    }

    fn run(&self, parts: usize, work: &(dyn Fn(usize) + Sync)) {
        let alone = || (0..parts).for_each(work);
        if parts < 2 || self.workers == 0 {
            return alone();
        }
        let Ok(_busy) = self.busy.try_lock() else { return alone() };
        let job = Job { work, parts, next: AtomicUsize::new(0), panic: Mutex::new(None) };
        self.shared.publish(&job);
        job.take_parts();
        self.shared.withdraw();
        if let Some(panic) = job.panic.into_inner().unwrap_or_else(PoisonError::into_inner) {
            drop(_busy);
            resume_unwind(panic);
        }
    }
}

impl Job<'_> {
    /// Takes parts until none is left. A panic waits in `panic` for the job's owner.
    fn take_parts(&self) {
        let all = || {
            while let part @ 0.. = self.next.fetch_add(1, SeqCst)
                && part < self.parts
            {
                (self.work)(part);
            }
        };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(all)) {
            self.next.store(self.parts, SeqCst);
            *self.panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic);
        }
    }
}

impl Shared {
    fn publish(&self, job: &Job) {
        self.job.store(std::ptr::from_ref(job).cast_mut().cast(), SeqCst);
        self.jobs.fetch_add(1, SeqCst);
        if self.asleep.load(SeqCst) > 0 {
            // With the lock, nobody is between looking at `jobs` and falling asleep.
            drop(self.lock.lock());
            self.wake.notify_all();
        }
    }

    /// Takes the job back, and waits for the workers that are still at a part of it.
    fn withdraw(&self) {
        self.job.store(std::ptr::null_mut(), SeqCst);
        let mut looks = 0;
        while self.inside.load(SeqCst) > 0 {
            looks += 1;
            if looks < LOOKS { std::hint::spin_loop() } else { thread::yield_now() }
        }
    }

    fn serve(&self) {
        let mut seen = 0;
        loop {
            seen = self.next_job(seen);
            self.inside.fetch_add(1, SeqCst);
            let job = self.job.load(SeqCst);
            if !job.is_null() {
                // SAFETY: the owner sets `job` to null and then waits until nobody is `inside`. We are inside and
                // have seen the job afterwards, so it lives until we leave.
                unsafe { &*job }.take_parts();
            }
            self.inside.fetch_sub(1, SeqCst);
        }
    }

    /// Waits until there is another job than number `seen`, and returns its number.
    fn next_job(&self, seen: u64) -> u64 {
        for _ in 0..LOOKS {
            let jobs = self.jobs.load(SeqCst);
            if jobs != seen {
                return jobs;
            }
            std::hint::spin_loop();
        }
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.asleep.fetch_add(1, SeqCst);
        while self.jobs.load(SeqCst) == seen {
            lock = self.wake.wait(lock).unwrap_or_else(PoisonError::into_inner);
        }
        self.asleep.fetch_sub(1, SeqCst);
        self.jobs.load(SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_called_once_however_many_threads_there_are() {
        for threads in [1, 2, 5] {
            let pool = Pool::new(threads);
            for parts in [0, 1, 2, 7, 100, 1000] {
                let calls: Vec<AtomicUsize> =
                    std::iter::repeat_with(AtomicUsize::default).take(parts).collect();
                for _ in 0..20 {
                    pool.run(parts, &|part| {
                        calls[part].fetch_add(1, SeqCst);
                    });
                }
                assert!(calls.iter().all(|calls| calls.load(SeqCst) == 20));
            }
        }
    }

    #[test]
    fn workers_that_have_gone_to_sleep_come_back() {
        let pool = Pool::new(3);
        while pool.shared.asleep.load(SeqCst) < 2 {
            thread::yield_now();
        }
        let (both, here) = (std::sync::Barrier::new(3), Mutex::new(std::collections::HashSet::new()));
        pool.run(3, &|_| {
            both.wait();
            here.lock().unwrap().insert(thread::current().id());
        });
        assert_eq!(here.into_inner().unwrap().len(), 3);
    }

    #[test]
    fn a_job_inside_a_job_and_one_beside_it_are_done_too() {
        let (pool, sum) = (Pool::new(2), AtomicUsize::new(0));
        let add = |part| {
            sum.fetch_add(part, SeqCst);
        };
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| pool.run(10, &|_| pool.run(10, &add)));
            }
        });
        assert_eq!(sum.into_inner(), 3 * 10 * 45);
    }

    #[test]
    fn a_panic_reaches_the_owner_and_the_pool_goes_on() {
        let pool = Pool::new(2);
        let caught = catch_unwind(AssertUnwindSafe(|| pool.run(50, &|part| assert_ne!(part, 30))));
        assert!(caught.is_err());
        let sum = AtomicUsize::new(0);
        pool.run(10, &|part| {
            sum.fetch_add(part, SeqCst);
        });
        assert_eq!(sum.into_inner(), 45);
    }

    #[test]
    fn mapped_values_keep_their_order() {
        let values: Vec<usize> = (0..100).collect();
        assert_eq!(map(&values, |value| value * 2), (0..100).map(|value| value * 2).collect::<Vec<_>>());
    }

    #[test]
    fn pieces_cover_a_slice_once() {
        let mut values = vec![0; 103];
        for_each_chunk(&mut values, 10, |number, piece| {
            piece.iter_mut().for_each(|value| *value += number + 1)
        });
        assert!(values.iter().enumerate().all(|(index, value)| *value == index / 10 + 1));
    }
}
