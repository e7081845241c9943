// Browsers start no worker from a file. Where the site is opened as one, the search runs in a hidden frame instead,
// which is told and tells what a worker would be.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(address) {
      super();
      const base = new URL(address, location.href);
      const frame = document.createElement("iframe");
      frame.hidden = true;
      frame.title = "search";
      document.body.append(frame);
      const inside = frame.contentWindow;
      const add = (file) => {
        const script = inside.document.createElement("script");
        script.src = new URL(file, base);
        return new Promise((done, failed) => {
          script.onload = done;
          script.onerror = () => failed(new Error(`${file}: cannot be read`));
          inside.document.head.append(script);
        });
      };
      inside.importScripts = (...files) => Promise.all(files.map(add));
      // Inside the frame `postMessage(data)` speaks to the page, as in a worker.
      inside.postMessage = (data) => {
        const event = new MessageEvent("message", { data });
        this.dispatchEvent(event);
        if (this.onmessage) this.onmessage(event);
      };
      this.inside = inside;
      this.loaded = add(base);
    }

    postMessage(data) {
      this.loaded.then(() => this.inside.dispatchEvent(new this.inside.MessageEvent("message", { data })));
    }

    terminate() {
      this.inside.frameElement.remove();
    }
  };
}
