// One page for the API of all services; each service describes itself, this page only lists them.
/* global SwaggerUIBundle, SwaggerUIStandalonePreset */

import { forSwaggerUi } from "./openapi.js";

const services = ["signing", "device", "sim", "monitoring"];

window.ui = SwaggerUIBundle({
  dom_id: "#swagger-ui",
  urls: services.map((name) => ({ name, url: `/api/v1/${name}/openapi.json` })),
  "urls.primaryName": new URLSearchParams(location.search).get("urls.primaryName") ?? services[0],
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
  layout: "StandaloneLayout",
  deepLinking: true,
  displayRequestDuration: true,
  filter: true,
  validatorUrl: null,
  responseInterceptor: (response) => {
    if (response.ok && response.url.endsWith("/openapi.json")) response.text = forSwaggerUi(response.text);
    return response;
  },
});
