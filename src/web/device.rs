//! The device of this build: the GPU through WebGPU or, with the feature `cpu`, the processor.

use std::rc::Rc;

use wasm_bindgen::JsValue;

#[cfg(feature = "cpu")]
pub(super) use processor::Processor as Device;

#[cfg(feature = "cpu")]
pub use processor::{crew_module, join_crew};

#[cfg(not(feature = "cpu"))]
pub(super) use crate::gpu::Gpu as Device;

use super::options;
use crate::error::{Result, bail};
use crate::gpu::LimitsChoice;

/// Bytes of this module's linear memory and of the memory shared by its threads.
pub(super) fn wasm_bytes() -> u64 {
    #[cfg(feature = "cpu")]
    let shared = crate::cpu::crew::bytes();
    #[cfg(not(feature = "cpu"))]
    let shared = 0;
    ((core::arch::wasm32::memory_size(0) as u64) << 16) + shared
}

/// Opens the device with the `limits` of `options`.
pub(super) async fn open(options: &JsValue) -> Result<Rc<Device>> {
    let limits = match options::text(options, "limits").as_deref() {
        Some("default") => LimitsChoice::Default,
        None | Some("adapter") => LimitsChoice::Adapter,
        Some(other) => bail!(InvalidArgument, "limits {other:?}, expected \"default\" or \"adapter\""),
    };
    #[cfg(not(feature = "cpu"))]
    return Device::open(crate::gpu::GpuOptions { limits }).await;
    // The processor has the same limits in either case.
    #[cfg(feature = "cpu")]
    return Ok(Device::open(limits));
}

#[cfg(feature = "cpu")]
mod processor {
    //! The CPU backend in a worker, which must regularly process messages from its page.

    use std::cell::{Cell, RefCell};
    use std::rc::Rc;

    use js_sys::{Function, Promise, Reflect};
    use wasm_bindgen::prelude::wasm_bindgen;
    use wasm_bindgen::{JsCast, JsValue};
    use wasm_bindgen_futures::JsFuture;

    use crate::clock::Instant;
    use crate::cpu::{self, crew};
    use crate::error::Result;
    use crate::future::LocalFuture;
    use crate::gpu::{
        Backend, Buffer, Limits, LimitsChoice, MemoryClass, MemoryUse, ProgramWatch, Recording, StopCheck,
    };
    use crate::reference::Host;

    /// The module that each thread of a crew starts. It imports `engine.memory`, a shared memory, and exports `products`.
    #[wasm_bindgen(js_name = crewModule)]
    pub fn crew_module() -> JsValue {
        crew::module()
    }

    /// Makes these threads take part in matmuls from now on.
    #[wasm_bindgen(js_name = joinCrew)]
    pub fn join_crew(crew: crew::Crew) {
        crew::join(crew);
    }

    /// Milliseconds of work after which messages from the page are processed. A timer costs about 4 ms.
    const BUSY_MS: f64 = 200.0;

    /// The CPU backend. It can be stopped between two recordings.
    pub(crate) struct Processor {
        host: Rc<Host>,
        stop: RefCell<Option<StopCheck>>,
        listened: Cell<Instant>,
    }

    impl Processor {
        /// Creates a backend. It has the same limits for both choices.
        pub(crate) fn open(_: LimitsChoice) -> Rc<Processor> {
            Rc::new(Processor {
                host: cpu::open(),
                stop: RefCell::default(),
                listened: Cell::new(Instant::now()),
            })
        }

        /// Calls `check` before each recording from now on, as [`Gpu::stop_when`](crate::gpu::Gpu::stop_when) does before each submit.
        pub(crate) fn stop_when(&self, check: Option<StopCheck>) {
            *self.stop.borrow_mut() = check;
        }

        /// Does nothing: there are no programs to compile.
        pub(crate) fn watch_programs(&self, _: Option<ProgramWatch>) {}

        /// Does nothing: the memory is freed with the buffers.
        pub(crate) fn destroy(&self) {}

        /// Lets the worker process messages if it has been busy for a long time.
        async fn listen(&self) {
            if self.listened.get().elapsed_ms() > BUSY_MS {
                next_task().await;
                self.listened.set(Instant::now());
            }
        }
    }

    impl Backend for Processor {
        fn name(&self) -> String {
            self.host.name()
        }

        fn limits(&self) -> Limits {
            self.host.limits()
        }

        fn memory(&self) -> MemoryUse {
            self.host.memory()
        }

        fn create(&self, name: &str, bytes: u64, class: MemoryClass) -> Result<Buffer> {
            self.host.create(name, bytes, class)
        }

        fn write(&self, buffer: &Buffer, offset: u64, data: &[u8]) -> Result<()> {
            self.host.write(buffer, offset, data)
        }

        fn run<'a>(&'a self, recording: &'a Recording) -> LocalFuture<'a, Result<()>> {
            Box::pin(async move {
                self.listen().await;
                self.stop.borrow().as_ref().map_or(Ok(()), |check| check())?;
                self.host.run(recording).await
            })
        }

        fn read<'a>(
            &'a self,
            buffer: &'a Buffer,
            offset: u64,
            bytes: u64,
        ) -> LocalFuture<'a, Result<Vec<u8>>> {
            self.host.read(buffer, offset, bytes)
        }
    }

    /// Waits until the worker has processed its pending messages.
    async fn next_task() {
        let promise = Promise::new(&mut |resolve, _| {
            let timer = Reflect::get(&js_sys::global(), &"setTimeout".into())
                .and_then(JsCast::dyn_into::<Function>)
                .and_then(|set| set.call1(&JsValue::UNDEFINED, &resolve));
            if timer.is_err() {
                let _ = resolve.call0(&JsValue::UNDEFINED);
            }
        });
        let _ = JsFuture::from(promise).await;
    }
}
