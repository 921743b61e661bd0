// The loader of hls.js: loads with the newest passes, and reports the Multivariant Playlist.
import Hls, {
  type LoaderCallbacks,
  type LoaderConfiguration,
  type LoaderContext,
} from "hls.js";
import { EDGE, isAllowed } from "./origins.ts";
import type { AnswerHeaders, Renewal } from "./renewal.ts";

/** An opened Multivariant Playlist. */
export interface OpenedPlaylist {
  text: string;
  url: string;
  headers: AnswerHeaders;
}

/**
 * Makes a loader. It refuses files on other sites with 403, without a request. `opened` hears of
 * the Multivariant Playlist before hls.js does.
 */
export function edgeLoader(
  passes: Renewal,
  linkHeaders: Record<string, string>,
  opened: (playlist: OpenedPlaylist) => void,
) {
  return class EdgeLoader extends Hls.DefaultConfig.loader {
    #isAborted = false;

    override load(
      context: LoaderContext,
      config: LoaderConfiguration,
      callbacks: LoaderCallbacks<LoaderContext>,
    ): void {
      const url = new URL(context.url, EDGE);
      if (!isAllowed(url)) {
        queueMicrotask(() =>
          callbacks.onError({ code: 403, text: "another site" }, context, null, this.stats),
        );
        return;
      }
      const onSuccess: LoaderCallbacks<LoaderContext>["onSuccess"] = (
        response,
        stats,
        loaded,
        details,
      ) => {
        if (details instanceof XMLHttpRequest) {
          const headers = { get: (name: string) => details.getResponseHeader(name) };
          passes.loaded(url.href, response.data, headers);
          const isManifest = "type" in loaded && loaded.type === "manifest";
          if (isManifest && typeof response.data === "string")
            opened({ text: response.data, url: response.url || url.href, headers });
        }
        callbacks.onSuccess(response, stats, loaded, details);
      };
      const start = (): void => {
        if (this.#isAborted) return;
        context.url = passes.newest(url.href);
        if (url.searchParams.has("token")) context.headers = { ...context.headers, ...linkHeaders };
        super.load(context, config, { ...callbacks, onSuccess });
      };
      const renewed = passes.fresh();
      if (renewed) void renewed.then(start);
      else start();
    }

    override abort(): void {
      this.#isAborted = true;
      super.abort();
    }

    override destroy(): void {
      this.#isAborted = true;
      super.destroy();
    }
  };
}
