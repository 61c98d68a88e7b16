//! A shim between the binary and the C library (`LD_PRELOAD`), which makes one call on a file below a directory fail. The test
//! compiles it.
//!
//! `FAULT_ROOT` is the directory, `FAULT_LOG` a file to which every call is appended as a line, `FAULT_CALL` the call that fails,
//! counted from 1, and `FAULT_ERRNO` its error number; 0 makes a read or a write shorter than requested.

#![allow(unused_unsafe, reason = "a macro that is unsafe by itself is used in unsafe calls")]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

unsafe extern "C" {
    fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
    fn readlink(path: *const c_char, target: *mut c_char, size: usize) -> isize;
    fn __errno_location() -> *mut c_int;
}

/// The handle for the next library that defines a symbol.
const NEXT: *mut c_void = -1_isize as *mut c_void;

struct Plan {
    root: String,
    log: c_int,
    call: u64,
    errno: c_int,
}

static CALLS: AtomicU64 = AtomicU64::new(0);

/// The function of the C library.
macro_rules! real {
    ($name:literal as $kind:ty) => {{
        // SAFETY: the C library has the function, with these arguments.
        unsafe { std::mem::transmute::<*mut c_void, $kind>(dlsym(NEXT, $name.as_ptr())) }
    }};
}

type Open = unsafe extern "C" fn(*const c_char, c_int, c_int) -> c_int;
type Write = unsafe extern "C" fn(c_int, *const c_void, usize) -> isize;

fn plan() -> Option<&'static Plan> {
    static PLAN: OnceLock<Option<Plan>> = OnceLock::new();
    let read = || {
        let of = |name| std::env::var(name).ok();
        let log = std::ffi::CString::new(of("FAULT_LOG")?).ok()?;
        // Write only, create, append.
        let log = unsafe { real!(c"open64" as Open)(log.as_ptr(), 0o2101, 0o644) };
        Some(Plan { root: of("FAULT_ROOT")?, log, call: of("FAULT_CALL")?.parse().ok()?, errno: of("FAULT_ERRNO")?.parse().ok()? })
    };
    PLAN.get_or_init(read).as_ref()
}

/// Counts a call on a path. If the call is to fail, returns the error number.
fn strike(name: &str, path: &str) -> Option<c_int> {
    let plan = plan()?;
    if !path.starts_with(&plan.root) {
        return None;
    }
    let line = format!("{name} {path}\n");
    unsafe { real!(c"write" as Write)(plan.log, line.as_ptr().cast(), line.len()) };
    (CALLS.fetch_add(1, Ordering::Relaxed) + 1 == plan.call).then_some(plan.errno)
}

fn path(path: *const c_char) -> String {
    unsafe { CStr::from_ptr(path) }.to_string_lossy().into_owned()
}

/// The path of an open file.
fn of_file(file: c_int) -> String {
    let link = format!("/proc/self/fd/{file}\0");
    let mut target = [0_u8; 1024];
    let length = unsafe { readlink(link.as_ptr().cast(), target.as_mut_ptr().cast(), target.len()) };
    String::from_utf8_lossy(&target[..length.max(0) as usize]).into_owned()
}

fn fail<T: From<i8>>(errno: c_int) -> T {
    unsafe { *__errno_location() = errno };
    T::from(-1)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn open64(name: *const c_char, flags: c_int, mode: c_int) -> c_int {
    match strike("open", &path(name)) {
        Some(errno) if errno != 0 => fail(errno),
        _ => unsafe { real!(c"open64" as Open)(name, flags, mode) },
    }
}

/// Calls that transfer bytes of an open file.
macro_rules! transfers {
    ($($name:ident $symbol:literal ($bytes:ty $(, $offset:ident)?);)*) => {$(
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name(file: c_int, bytes: $bytes, count: usize $(, $offset: i64)?) -> isize {
            let real = real!($symbol as unsafe extern "C" fn(c_int, $bytes, usize $(, transfers!(@offset $offset))?) -> isize);
            let count = match strike(stringify!($name), &of_file(file)) {
                Some(0) => count.div_ceil(2),
                Some(errno) => return fail::<i32>(errno) as isize,
                None => count,
            };
            unsafe { real(file, bytes, count $(, $offset)?) }
        }
    )*};
    (@offset $offset:ident) => { i64 };
}
transfers! {
    read c"read" (*mut c_void);
    write c"write" (*const c_void);
    pread64 c"pread64" (*mut c_void, offset);
    pwrite64 c"pwrite64" (*const c_void, offset);
}

/// Other calls on an open file.
macro_rules! on_files {
    ($($name:ident $symbol:literal ($($argument:ident: $kind:ty),*) -> $result:ty;)*) => {$(
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name(file: c_int $(, $argument: $kind)*) -> $result {
            match strike(stringify!($name), &of_file(file)) {
                Some(errno) if errno != 0 => fail(errno),
                _ => unsafe { real!($symbol as unsafe extern "C" fn(c_int $(, $kind)*) -> $result)(file $(, $argument)*) },
            }
        }
    )*};
}
on_files! {
    fsync c"fsync" () -> c_int;
    fdatasync c"fdatasync" () -> c_int;
    ftruncate64 c"ftruncate64" (length: i64) -> c_int;
    lseek64 c"lseek64" (offset: i64, from: c_int) -> i64;
    flock c"flock" (kind: c_int) -> c_int;
}

/// Calls on a path.
macro_rules! on_paths {
    ($($name:ident $symbol:literal ($($argument:ident: $kind:ty),*);)*) => {$(
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name(name: *const c_char $(, $argument: $kind)*) -> c_int {
            match strike(stringify!($name), &path(name)) {
                Some(errno) if errno != 0 => fail(errno),
                _ => unsafe { real!($symbol as unsafe extern "C" fn(*const c_char $(, $kind)*) -> c_int)(name $(, $argument)*) },
            }
        }
    )*};
}
on_paths! {
    rename c"rename" (to: *const c_char);
    mkdir c"mkdir" (mode: u32);
    unlink c"unlink" ();
    rmdir c"rmdir" ();
}

#[unsafe(no_mangle)]
unsafe extern "C" fn opendir(name: *const c_char) -> *mut c_void {
    match strike("opendir", &path(name)) {
        Some(errno) if errno != 0 => {
            unsafe { *__errno_location() = errno };
            std::ptr::null_mut()
        }
        _ => unsafe { real!(c"opendir" as unsafe extern "C" fn(*const c_char) -> *mut c_void)(name) },
    }
}
