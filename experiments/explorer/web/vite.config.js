import { defineConfig } from "vite";
import { viteSingleFile } from "vite-plugin-singlefile";

// One file, with a place for the data: `popjax explore` fills it in.
export default defineConfig({
  plugins: [viteSingleFile()],
  build: {
    outDir: "built",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 1e8,
    modulePreload: false,
    rolldownOptions: { input: "page.html" },
  },
});
