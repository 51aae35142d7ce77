// The REST API, and the session: access token, refresh before it expires, log out.

const KEY = "fleet.session";
const EARLY = 60_000; // milliseconds before expiry at which the token is renewed

export class ApiError extends Error {
  constructor(message, status, code, retryAfter) {
    super(message);
    Object.assign(this, { status, code, retryAfter });
  }
}

export class Session {
  #tokens = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
  #renewing = null;
  #timer = 0;

  /** `onEnd` is called with a reason when the session is over without the user's doing. */
  constructor(onEnd) {
    this.onEnd = onEnd;
    if (this.#tokens) this.#schedule();
  }

  get active() {
    return this.#tokens !== null;
  }

  get email() {
    return this.#tokens?.email ?? "";
  }

  async login(email, password) {
    this.#keep(await call("POST", "/auth/login", { body: { email, password } }), email);
  }

  async logout() {
    const token = this.#tokens?.access;
    const refresh = this.#tokens?.refresh;
    this.#forget();
    // Without an answer the tokens still end by themselves; this browser has forgotten them either way.
    if (token) await call("POST", "/auth/logout", { token, body: { refresh_token: refresh } }).catch(() => {});
  }

  /** A token that is good for a while; renewed first where it is not, or where `refused` says it was not taken. */
  async token(refused) {
    if (!this.#tokens) throw new ApiError("You are logged out.", 401);
    if (refused === this.#tokens.access || this.#tokens.expires - Date.now() < EARLY / 2) await this.#renew();
    return this.#tokens.access;
  }

  /** GET with the session's token; once more with a new token where the old one was refused. */
  async get(path, signal) {
    const token = await this.token();
    try {
      return await call("GET", path, { token, signal });
    } catch (error) {
      if (error.status !== 401) throw error;
      return call("GET", path, { token: await this.token(token), signal });
    }
  }

  /** All items of a list, page after page; `onPage` sees each page as it comes. */
  async all(path, onPage) {
    const first = `${path}${path.includes("?") ? "&" : "?"}page_size=200`;
    let page = await this.get(first);
    onPage(page.items);
    while (page.next_cursor) {
      page = await this.get(`${first}&cursor=${encodeURIComponent(page.next_cursor)}`);
      onPage(page.items);
    }
  }

  #renew() {
    this.#renewing ??= this.#exchange().finally(() => (this.#renewing = null));
    return this.#renewing;
  }

  async #exchange() {
    try {
      this.#keep(await call("POST", "/auth/refresh", { body: { refresh_token: this.#tokens.refresh } }), this.#tokens.email);
    } catch (error) {
      if ([400, 401, 403, 422].includes(error.status)) {
        this.#forget();
        this.onEnd("Your session has ended. Log in again.");
      }
      throw error;
    }
  }

  #keep(answer, email) {
    this.#tokens = {
      access: answer.access_token,
      refresh: answer.refresh_token,
      expires: Date.now() + answer.expires_in * 1000,
      email,
    };
    sessionStorage.setItem(KEY, JSON.stringify(this.#tokens));
    this.#schedule();
  }

  #schedule() {
    clearTimeout(this.#timer);
    const wait = Math.max(5000, this.#tokens.expires - Date.now() - EARLY);
    this.#timer = setTimeout(() => this.#renew().catch(() => this.#tokens && this.#schedule()), Math.min(wait, 2 ** 31 - 1));
  }

  #forget() {
    clearTimeout(this.#timer);
    this.#tokens = null;
    sessionStorage.removeItem(KEY);
  }
}

async function call(method, path, { token, body, signal } = {}) {
  const headers = { Accept: "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(`/api/v1${path}`, { method, headers, signal, body: body && JSON.stringify(body), cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("The fleet cannot be reached. Check your connection.", 0);
  }
  if (answer.status === 204) return null;
  const content = await answer.json().catch(() => null);
  if (answer.ok) return content;
  const error = content?.error ?? {};
  throw new ApiError(error.message ?? `The fleet answered with status ${answer.status}.`, answer.status, error.code, Number(answer.headers.get("Retry-After")) || 0);
}
