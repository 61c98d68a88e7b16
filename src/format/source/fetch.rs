//! Files on an HTTP server, read with range requests (RFC 9110, section 14).

use js_sys::{Function, Promise, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortController, AbortSignal, Headers, Request, RequestInit, Response};

use super::{ByteSource, check_range, reason};
use crate::error::{Error, Result, bail, err};
use crate::future::LocalFuture;

/// Maximum size in bytes of a file that is downloaded whole from a server without range requests.
pub const WHOLE_LIMIT: u64 = 8 << 20;

/// Size of the first request in bytes. It covers most headers and configurations.
const FIRST_RANGE: u64 = 256 << 10;

/// Pauses before a request is repeated, in milliseconds.
const RETRY_AFTER: [i32; 2] = [500, 2000];

/// Milliseconds without a response or a byte after which a connection counts as broken.
const SILENCE: i32 = 60_000;

/// A file at a URL. Only its beginning is kept in memory; every further read is a range request.
///
/// This works in a page and in a worker. Servers that ignore `Range` are tolerated for files of up
/// to [`WHOLE_LIMIT`] bytes. Longer files are an error, because they would be downloaded again for
/// every read.
#[derive(Debug)]
pub struct FetchSource {
    name: String,
    url: String,
    /// An access token for the server.
    token: Option<String>,
    signal: Option<AbortSignal>,
    len: u64,
    /// The beginning of the file, or the whole file if the server ignores `Range`.
    head: Vec<u8>,
    etag: Option<String>,
}

impl FetchSource {
    /// Requests the beginning and the length of the file. Returns `None` if the server does not have the file.
    ///
    /// # Errors
    /// `network` if the server does not respond, responds with a failure, or ignores `Range` for a file longer than
    /// [`WHOLE_LIMIT`]; `aborted` if `signal` is aborted.
    pub async fn open(name: &str, url: &str, signal: Option<AbortSignal>) -> Result<Option<Self>> {
        FetchSource::open_with_token(name, url, None, signal).await
    }

    /// Like [`FetchSource::open`], but sends an access token to the server. If the request is redirected, a browser does not send
    /// the token to the other server (Fetch standard, HTTP-redirect fetch).
    ///
    /// # Errors
    /// The errors of [`FetchSource::open`].
    pub async fn open_with_token(
        name: &str,
        url: &str,
        token: Option<String>,
        signal: Option<AbortSignal>,
    ) -> Result<Option<Self>> {
        let source = FetchSource {
            name: name.to_owned(),
            url: url.to_owned(),
            token,
            signal,
            len: 0,
            head: Vec::new(),
            etag: None,
        };
        let Some((len, head, etag)) = source.retried(async || source.beginning().await).await? else {
            return Ok(None);
        };
        Ok(Some(FetchSource { len, head, etag, ..source }))
    }

    /// The length of the file, its beginning and its `ETag`; `None` if the server does not have the file.
    async fn beginning(&self) -> Attempt<Option<(u64, Vec<u8>, Option<String>)>> {
        let (name, url) = (&self.name, &self.url);
        let response = self.request("GET", Some((0, FIRST_RANGE))).await?;
        let (len, head) = match response.status() {
            404 | 410 => return Ok(None),
            206 => {
                if let Some(start) = content_range_start(&response).filter(|&start| start != 0) {
                    self.cancel(&response);
                    return Err(err!(Network, "{name}: expected bytes from 0 of {url}, found {start}").into());
                }
                let len = match content_range_total(&response) {
                    Some(total) => total,
                    // A server of another origin may hide Content-Range, but never Content-Length.
                    None => self.content_length().await?,
                };
                let head = self.body(&response, FIRST_RANGE).await?;
                (len.max(head.len() as u64), head)
            }
            // An empty file has no ranges, so its length is 0.
            416 => (0, Vec::new()),
            200 => {
                // Development servers respond to a request for a missing file with their start page.
                if header(&response, "content-type").is_some_and(|kind| kind.starts_with("text/html")) {
                    return Ok(None);
                }
                let head = self.body(&response, WHOLE_LIMIT).await?;
                (head.len() as u64, head)
            }
            status => {
                return Err(self.status(
                    err!(Network, "{name}: expected status 206 from {url}, found {status}"),
                    status,
                ));
            }
        };
        Ok(Some((len, head, header(&response, "etag"))))
    }

    /// Requests the length of the file with a HEAD request.
    async fn content_length(&self) -> Attempt<u64> {
        let response = self.request("HEAD", None).await?;
        match header(&response, "content-length").and_then(|value| value.parse().ok()) {
            Some(len) if response.ok() => Ok(len),
            _ => {
                let error = err!(
                    Network,
                    "{}: expected a length from {}, found none; the server must expose Content-Range or send Content-Length",
                    self.name,
                    self.url
                );
                Err(self.status(error, response.status()))
            }
        }
    }

    /// Makes an attempt. If the connection or the server fails, pauses and tries again.
    async fn retried<T>(&self, attempt: impl AsyncFn() -> Attempt<T>) -> Result<T> {
        let mut pauses = RETRY_AFTER.iter();
        loop {
            let failure = match attempt().await {
                Ok(value) => return Ok(value),
                Err(failure) => failure,
            };
            match pauses.next() {
                _ if self.aborted() => bail!(Aborted, "{}: the download was stopped", self.name),
                Some(&pause) if failure.temporary => sleep(pause).await,
                _ => return Err(failure.error),
            }
        }
    }

    /// Sends a request.
    async fn request(&self, method: &str, range: Option<(u64, u64)>) -> Attempt<Response> {
        self.send(method, range).await.map_err(|reason| self.broken(&reason))
    }

    async fn send(&self, method: &str, range: Option<(u64, u64)>) -> std::result::Result<Response, JsValue> {
        let init = RequestInit::new();
        init.set_method(method);
        let controller = AbortController::new()?;
        let signals: js_sys::Array = self.signal.iter().cloned().chain([controller.signal()]).collect();
        init.set_signal(Some(&AbortSignal::any(&signals)));
        // The browser's cache must ask the server whether its copy is still current. Without this, a 410 response would be kept forever.
        Reflect::set(&init, &"cache".into(), &"no-cache".into())?;
        let headers = Headers::new()?;
        if let Some((offset, len)) = range {
            headers.set("Range", &format!("bytes={offset}-{}", offset + len - 1))?;
        }
        if let Some(token) = &self.token {
            headers.set("Authorization", &format!("Bearer {token}"))?;
        }
        init.set_headers_headers(&headers);
        let request = Request::new_with_str_and_init(&self.url, &init)?;
        // Both a page and a worker have a global `fetch`, but their global scopes have different types.
        let global = js_sys::global();
        let fetch: Function = property(&global, "fetch")?.dyn_into()?;
        let answer = heard(fetch.call1(&global, &request)?.dyn_into()?).await;
        // Otherwise, the browser's cache would make the next request for the file wait for this one.
        answer.inspect_err(|_| controller.abort())?.dyn_into()
    }

    /// Reads the body in chunks, so that a body longer than `limit` is cancelled and never held in memory.
    async fn body(&self, response: &Response, limit: u64) -> Attempt<Vec<u8>> {
        let stated = header(response, "content-length").and_then(|value| value.parse::<u64>().ok());
        // The stated length of a compressed response is not the length of the body.
        let uncompressed = header(response, "content-encoding").is_none();
        if let Some(stated) = stated.filter(|&stated| uncompressed && stated > limit) {
            self.cancel(response);
            return Err(self.too_long(limit, &stated.to_string()).into());
        }
        let reader = property(response.as_ref(), "body")
            .and_then(|body| call(&body, "getReader"))
            .map_err(|reason| self.broken(&reason))?;
        let mut bytes = Vec::new();
        loop {
            let step = match read_step(&reader).await {
                Ok(step) => step,
                Err(reason) => {
                    let _ = call(&reader, "cancel");
                    return Err(self.broken(&reason));
                }
            };
            let Some(chunk) = step else { return Ok(bytes) };
            if bytes.len() as u64 + u64::from(chunk.length()) > limit {
                let _ = call(&reader, "cancel");
                return Err(self.too_long(limit, "more").into());
            }
            bytes.extend(chunk.to_vec());
        }
    }

    /// Cancels the download of a body that is not needed.
    fn cancel(&self, response: &Response) {
        let _ = property(response.as_ref(), "body").and_then(|body| call(&body, "cancel"));
    }

    fn too_long(&self, limit: u64, found: &str) -> Error {
        err!(
            Network,
            "{}: expected at most {limit} bytes from {}, found {found}; longer files need a server that answers \
             Range requests with status 206",
            self.name,
            self.url
        )
    }

    fn aborted(&self) -> bool {
        self.signal.as_ref().is_some_and(AbortSignal::aborted)
    }

    /// The failure of a connection, with the reason from a rejected promise.
    fn broken(&self, cause: &JsValue) -> Failure {
        let error = err!(Network, "{}: {}: {}", self.name, self.url, reason(cause));
        Failure { error, temporary: true }
    }

    /// The failure of a response with this status.
    fn status(&self, error: Error, status: u16) -> Failure {
        Failure { error, temporary: matches!(status, 408 | 429 | 500 | 502 | 503 | 504) }
    }

    async fn range(&self, offset: u64, len: usize) -> Attempt<Vec<u8>> {
        let (name, url) = (&self.name, &self.url);
        let response = self.request("GET", Some((offset, len as u64))).await?;
        let status = response.status();
        if status != 206 {
            self.cancel(&response);
            let error = err!(
                Network,
                "{name}: expected status 206 for {len} bytes at {offset} from {url}, found {status}"
            );
            return Err(self.status(error, status));
        }
        let etag = header(&response, "etag");
        if etag.is_some() && self.etag.is_some() && etag != self.etag {
            self.cancel(&response);
            return Err(err!(Network, "{name}: {url} was replaced while it was being read").into());
        }
        if let Some(start) = content_range_start(&response)
            && start != offset
        {
            self.cancel(&response);
            return Err(err!(Network, "{name}: expected bytes from {offset} of {url}, found {start}").into());
        }
        self.body(&response, len as u64).await
    }
}

/// The result of an attempt, which may be retried.
type Attempt<T> = std::result::Result<T, Failure>;

/// Why an attempt failed.
struct Failure {
    error: Error,
    /// Whether another attempt may succeed.
    temporary: bool,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure { error, temporary: false }
    }
}

impl ByteSource for FetchSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        self.len
    }

    fn read(&self, offset: u64, len: usize) -> LocalFuture<'_, Result<Vec<u8>>> {
        Box::pin(async move {
            check_range(&self.name, offset, len, self.len)?;
            if self.aborted() {
                bail!(Aborted, "{name}: the download was stopped", name = self.name);
            }
            let from_head =
                usize::try_from(offset).ok().and_then(|from| self.head.get(from..from.checked_add(len)?));
            if let Some(bytes) = from_head {
                return Ok(bytes.to_vec());
            }
            let bytes = self.retried(async || self.range(offset, len).await).await?;
            check_range(&self.name, offset, len, offset + bytes.len() as u64)?;
            Ok(bytes)
        })
    }
}

fn header(response: &Response, name: &str) -> Option<String> {
    response.headers().get(name).ok().flatten()
}

/// The total length in a Content-Range header, such as 1234 in `bytes 0-99/1234`, if it is present.
fn content_range_total(response: &Response) -> Option<u64> {
    header(response, "content-range")?.rsplit_once('/')?.1.trim().parse().ok()
}

/// The start in a Content-Range header, such as 0 in `bytes 0-99/1234`, if it is present.
fn content_range_start(response: &Response) -> Option<u64> {
    header(response, "content-range")?.trim().strip_prefix("bytes")?.trim().split_once('-')?.0.parse().ok()
}

/// Reads the next chunk of a stream. Returns `None` at its end.
async fn read_step(reader: &JsValue) -> std::result::Result<Option<Uint8Array>, JsValue> {
    let step = heard(call(reader, "read")?.dyn_into()?).await?;
    if property(&step, "done")?.is_truthy() {
        return Ok(None);
    }
    Ok(Some(property(&step, "value")?.dyn_into()?))
}

/// Waits for data from a server. Fails if nothing arrives for [`SILENCE`] milliseconds, since a phone that switches networks may
/// leave a connection that never ends.
async fn heard(promise: Promise) -> std::result::Result<JsValue, JsValue> {
    let global = js_sys::global();
    let mut timer = JsValue::UNDEFINED;
    let silence = Promise::new(&mut |_, reject| {
        let text = format!("the server has sent nothing for {} seconds", SILENCE / 1000);
        let give_up = reject.bind1(&JsValue::UNDEFINED, &js_sys::Error::new(&text));
        let set = property(&global, "setTimeout").and_then(JsCast::dyn_into::<Function>);
        timer = set
            .and_then(|set| set.call2(&JsValue::UNDEFINED, &give_up, &JsValue::from(SILENCE)))
            .unwrap_or_default();
    });
    let first = JsFuture::from(Promise::race(&js_sys::Array::of2(&promise, &silence))).await;
    if let Ok(clear) = property(&global, "clearTimeout").and_then(JsCast::dyn_into::<Function>) {
        let _ = clear.call1(&JsValue::UNDEFINED, &timer);
    }
    first
}

/// Sleeps for the given time. Returns immediately if there is no timer.
async fn sleep(milliseconds: i32) {
    let promise = Promise::new(&mut |resolve, _| {
        let timer = property(&js_sys::global(), "setTimeout").and_then(JsCast::dyn_into::<Function>);
        let set =
            timer.and_then(|set| set.call2(&JsValue::UNDEFINED, &resolve, &JsValue::from(milliseconds)));
        if set.is_err() {
            let _ = resolve.call0(&JsValue::UNDEFINED);
        }
    });
    let _ = JsFuture::from(promise).await;
}

fn property(object: &JsValue, name: &str) -> std::result::Result<JsValue, JsValue> {
    Reflect::get(object, &JsValue::from_str(name))
}

fn call(object: &JsValue, name: &str) -> std::result::Result<JsValue, JsValue> {
    property(object, name)?.dyn_into::<Function>()?.call0(object)
}
